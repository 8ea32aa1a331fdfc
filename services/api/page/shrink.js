// Images as they are sent: smaller where they are too large, JPEG where a format is not read there.

import { Problem } from "./server.js";

const READ = /^image\/(png|jpeg|webp|tiff|bmp|gif|x-ms-bmp)$/;
const QUALITY = 0.9;
// what browsers on phones hold at most in a canvas
const MOST_PIXELS = 16_000_000;
const MOST_ATTEMPTS = 6;

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** `{file, said}`: the file to send, and what was done to it, in words. `smaller`: in any case. */
export async function prepared(file, limits, { smaller = false } = {}) {
  const foreign = /^image\//.test(file.type) && !READ.test(file.type);
  if (file.size <= limits.bytes && !smaller && !foreign) return { file, said: "" };
  const picture = await decoded(file);
  if (!picture) {
    if (file.size <= limits.bytes) return { file, said: "" }; // the service says what it is
    throw new Problem({
      title: "The file is too large",
      detail:
        `It has ${megabytes(file.size)}, at most ${megabytes(limits.bytes)} are read, and this ` +
        "browser cannot open it to make it smaller.",
    });
  }
  try {
    const made = await redrawn(file, picture, limits);
    return foreign ? { ...made, said: "Made a JPEG in the browser." } : made;
  } finally {
    picture.close();
  }
}

async function decoded(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    return null;
  }
}

async function redrawn(file, picture, limits) {
  const pixels = Math.min(limits.pixels, MOST_PIXELS);
  let scale = Math.min(1, Math.sqrt(pixels / (picture.width * picture.height)));
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.floor(picture.width * scale));
    canvas.height = Math.max(1, Math.floor(picture.height * scale));
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
    if (blob && blob.size <= limits.bytes) {
      const name = `${file.name.replace(/\.[^.]*$/, "")}.jpg`;
      const size = `${canvas.width} × ${canvas.height} pixels, ${megabytes(blob.size)}`;
      const made = new File([blob], name, { type: "image/jpeg" });
      return { file: made, said: `Made smaller in the browser: ${size}.` };
    }
    scale *= 0.7;
  }
  throw new Problem({ title: "The file is too large", detail: "It cannot be made small enough." });
}
