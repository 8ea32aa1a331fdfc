// How sure is sure. Confidences are calibrated: of words at 0.9, nine of ten are right.

import { percent } from "./elements.js";

const SURE = 0.9;
const DOUBTFUL = 0.6;

export function certainty(confidence) {
  return confidence >= SURE ? "sure" : confidence >= DOUBTFUL ? "unsure" : "doubtful";
}

export const LEGEND = [
  ["unsure", `unsure, below ${percent(SURE)}`],
  ["doubtful", `doubtful, below ${percent(DOUBTFUL)}`],
];
