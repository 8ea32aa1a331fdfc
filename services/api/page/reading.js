// A line as it was read and as it is corrected, and which of its words are still as read.

export function tokens(text) {
  return [...text.matchAll(/\S+/g)].map((found) => ({
    text: found[0],
    start: found.index,
    end: found.index + found[0].length,
  }));
}

/**
 * For each token the word of the reading it stands for, or -1. Equal ones are paired, as many as
 * can be in order; between two pairs, changed ones are paired where there are as many of both.
 */
export function aligned(words, found) {
  const lengths = Array.from({ length: words.length + 1 }, () => Array(found.length + 1).fill(0));
  for (let w = words.length - 1; w >= 0; w--) {
    for (let t = found.length - 1; t >= 0; t--) {
      lengths[w][t] =
        words[w].text === found[t].text
          ? lengths[w + 1][t + 1] + 1
          : Math.max(lengths[w + 1][t], lengths[w][t + 1]);
    }
  }
  const pairs = Array(found.length).fill(-1);
  let [w, t, w0, t0] = [0, 0, 0, 0];
  const fill = () => {
    if (w - w0 === t - t0) for (let i = 0; i < t - t0; i++) pairs[t0 + i] = w0 + i;
  };
  while (w < words.length && t < found.length) {
    if (words[w].text === found[t].text) {
      fill();
      pairs[t++] = w++;
      [w0, t0] = [w, t];
    } else if (lengths[w + 1][t] >= lengths[w][t + 1]) w++;
    else t++;
  }
  [w, t] = [words.length, found.length];
  fill();
  return pairs;
}

/** What other texts of the line say in place of one of its words: `{text, confidence, first, last}`. */
export function wordChoices(line, index) {
  const read = line.words.map((word) => word.text);
  const choices = new Map();
  for (const { text, confidence } of line.alternatives) {
    const other = tokens(text).map((token) => token.text);
    const shorter = Math.min(read.length, other.length);
    let head = 0;
    while (head < shorter && read[head] === other[head]) head++;
    let tail = 0;
    while (tail < shorter - head && read.at(-1 - tail) === other.at(-1 - tail)) tail++;
    const last = read.length - tail - 1;
    const instead = other.slice(head, other.length - tail).join(" ");
    // what changes more than two words at once is a choice of the line, not of a word
    if (head > index || index > last || last - head > 1 || !instead || choices.has(instead)) continue;
    choices.set(instead, { text: instead, confidence, first: head, last });
  }
  return [...choices.values()];
}

/** A line in the hands of a person. */
export class Corrected {
  checked = false;

  constructor(line) {
    this.line = line;
    this.text = line.text;
  }

  get edited() {
    return this.text !== this.line.text;
  }

  /** The tokens of the text as it is now, each with its word of the reading, if it has one. */
  get tokens() {
    const found = tokens(this.text);
    const pairs = aligned(this.line.words, found);
    return found.map((token, index) => {
      const at = pairs[index];
      const word = at < 0 ? null : this.line.words[at];
      return { ...token, index: at, word, same: word?.text === token.text };
    });
  }

  /** Other texts for the word under a token; none where the text around it is no longer as read. */
  choices(token) {
    if (token.index < 0) return [];
    const now = this.tokens;
    return wordChoices(this.line, token.index).flatMap((choice) => {
      const from = now.find((each) => each.index === choice.first);
      const to = now.find((each) => each.index === choice.last);
      if (!from || !to || this.text.slice(from.start, to.end) === choice.text) return [];
      const text = this.text.slice(0, from.start) + choice.text + this.text.slice(to.end);
      return [{ shown: choice.text, text, confidence: choice.confidence }];
    });
  }

  /** Other texts for the whole line; first what was read, where that was changed. */
  get others() {
    const { text, confidence, alternatives } = this.line;
    return [{ text, confidence }, ...alternatives]
      .filter((each) => each.text !== this.text)
      .map((each) => ({ ...each, shown: each.text }));
  }
}
