import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { LanguageIdentifier } from "../src/language.js";
import { Tokenizer } from "../src/tokenizer.js";
import { ROOT, rows } from "./files.js";

interface Row {
  readonly text: string;
  readonly ids: readonly number[];
  readonly evidence?: readonly number[];
}
const vectors = rows<Row>("tokenizer.jsonl.gz");
const bundle = new URL("models/guard/", ROOT);

test("every tokenisation of the vectors, id by id", () => {
  const tokenizer = new Tokenizer(new Uint8Array(readFileSync(new URL("tokenizer.amtk", bundle))));
  assert.ok(vectors.length >= 3_000);
  const wrong = vectors.filter((row) => JSON.stringify(tokenizer.encode(row.text)) !== JSON.stringify(row.ids));
  assert.equal(wrong.length, 0, `${wrong.length} of ${vectors.length} differ`);
});

test("language evidence agrees to the rounding of the vectors", () => {
  const identifier = new LanguageIdentifier(new Uint8Array(readFileSync(new URL("language.amli", bundle))));
  let seen = 0;
  for (const row of vectors) {
    if (!row.evidence) continue;
    seen += 1;
    identifier.evidence(row.text).forEach((value, i) => {
      assert.ok(Math.abs(value - (row.evidence?.[i] ?? NaN)) < 1e-3, `row ${seen}, label ${i}: ${value}`);
    });
  }
  assert.ok(seen > 1_000);
});

test("a damaged table is a typed error at every length", () => {
  const table = new Uint8Array(readFileSync(new URL("tokenizer.amtk", bundle)));
  for (const size of [0, 4, 24, 25, 1_000, 400_000, table.length - 1])
    assert.throws(() => new Tokenizer(table.subarray(0, size)), { code: "bundle-format" });
});
