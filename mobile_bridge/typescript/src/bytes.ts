import { AmparoError } from "./errors.js";

/** Reads little-endian values; past the end is a typed error. */
export class Reader {
  private readonly view: DataView;
  at = 0;
  constructor(private readonly bytes: Uint8Array, private readonly what: string) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  private take(size: number): number {
    const start = this.at;
    if (size < 0 || start + size > this.bytes.length) throw this.damaged();
    this.at += size;
    return start;
  }
  damaged(): AmparoError {
    return new AmparoError(this.what === "state" ? "state" : "bundle-format", `the ${this.what} is cut short or damaged`);
  }
  u8 = (): number => this.view.getUint8(this.take(1));
  u16 = (): number => this.view.getUint16(this.take(2), true);
  u32 = (): number => this.view.getUint32(this.take(4), true);
  f32 = (): number => this.view.getFloat32(this.take(4), true);
  f64 = (): number => this.view.getFloat64(this.take(8), true);
  raw(size: number): Uint8Array {
    const start = this.take(size);
    return this.bytes.subarray(start, start + size);
  }
  floats(count: number): Float32Array {
    const start = this.take(4 * count);
    return Float32Array.from({ length: count }, (_, i) => this.view.getFloat32(start + 4 * i, true));
  }
  utf8(size: number): string {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.raw(size));
    } catch {
      throw this.damaged();
    }
  }
  magic(wanted: string): void {
    const found = this.raw(wanted.length);
    for (let i = 0; i < wanted.length; i++) if (found[i] !== wanted.charCodeAt(i)) throw this.damaged();
  }
  end(): void {
    if (this.at !== this.bytes.length) throw this.damaged();
  }
}
