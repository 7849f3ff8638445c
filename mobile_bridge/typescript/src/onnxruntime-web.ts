/** onnxruntime-web 1.27.0 behind `Backend`. The app passes the module in, so the core depends on nothing. */

import type * as Ort from "onnxruntime-web";
import type { Backend, Session, Step } from "./contract.js";
import { CONFIG, CUES } from "./generated.js";

export function onnxRuntimeWeb(ort: typeof Ort, wasmPaths?: string): Backend {
  ort.env.wasm.numThreads = 1; // a message is too small to share out; more needs cross-origin isolation
  if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
  return {
    async load(graph, stateSize): Promise<Session> {
      const session = await ort.InferenceSession.create(graph, {
        executionProviders: ["wasm"],
        logSeverityLevel: 4, // fatal only: runtime logs may hold tensor values
        extra: { "mlas.disable_kleidiai": "1" }, // differs from run to run on some ARM
      } as Ort.InferenceSession.SessionOptions);
      const probe = { meta: new Float32Array(CONFIG.META_SIZE), state: new Float32Array(stateSize) };
      const run = async (tokens: Int32Array, meta: Float32Array, state: Float32Array): Promise<Step> => {
        const out = await session.run({
          tokens: new ort.Tensor("int32", tokens, [tokens.length]),
          meta: new ort.Tensor("float32", meta, [meta.length]),
          state: new ort.Tensor("float32", state, [state.length]),
        });
        const floats = (name: string): Float32Array => Float32Array.from(out[name]?.data as Float32Array);
        return { cues: floats("cues"), risk: floats("risk")[0] as number, tier: Number(out["tier"]?.data[0]), state: floats("state_out") };
      };
      const step = await run(Int32Array.of(0, 2), probe.meta, probe.state);
      if (step.cues.length !== CUES.length || step.state.length !== stateSize) throw new Error("the graph has other shapes");
      return { step: run, release: () => session.release() };
    },
  };
}
