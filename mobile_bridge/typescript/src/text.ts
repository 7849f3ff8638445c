const LONE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

/** NUL becomes a space, lone surrogates U+FFFD. Never `String.normalize`: its Unicode version varies. */
export function clean(text: string): string {
  return text.replace(/\0/g, " ").replace(LONE, "\uFFFD");
}
