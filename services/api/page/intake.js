// Ways in for images: chosen, photographed, dropped anywhere, pasted, or the example.

import { byId } from "./elements.js";
import { address } from "./server.js";

const EXAMPLE = "example.png";

/** `onfiles(files)` gets what came; `onnone()` is told where something came that is no file. */
export function takeIn(onfiles, onnone) {
  for (const [way, field] of [
    ["choose", "files"],
    ["photo", "camera"],
  ]) {
    byId(way).addEventListener("click", () => byId(field).click());
    byId(field).addEventListener("change", ({ target }) => {
      if (target.files.length) onfiles([...target.files]);
      target.value = ""; // the same file may be chosen once more
    });
  }
  byId("example").addEventListener("click", async () => {
    const answer = await fetch(address(`page/${EXAMPLE}`)).catch(() => null);
    if (!answer?.ok) return onnone("The example could not be loaded.");
    onfiles([new File([await answer.blob()], EXAMPLE, { type: "image/png" })]);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    // what is copied from a table comes as its text and as a picture of it
    const text = isText(event.target) && event.clipboardData?.types.includes("text/plain");
    if (!files.length || text) return;
    event.preventDefault();
    onfiles(files);
  });
  drop(onfiles, onnone);
}

function drop(onfiles, onnone) {
  let inside = 0;
  const show = (count) => {
    inside = count;
    byId("over").hidden = !inside;
  };
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => carries(event) && show(inside + 1));
  addEventListener("dragleave", (event) => carries(event) && show(Math.max(0, inside - 1)));
  addEventListener("dragover", (event) => {
    // a text may be dragged into a line as ever
    if (carries(event) || !isText(event.target)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    show(0);
    if (!carries(event) && isText(event.target)) return;
    event.preventDefault();
    const files = filesOf(event.dataTransfer);
    if (files.length) onfiles(files);
    else if (carries(event)) onnone("Folders cannot be read: drop the images that are in it.");
    else onnone("Only image files can be dropped here: save the image first.");
  });
}

/** Without folders, which come as files that nobody can read. */
function filesOf(transfer) {
  const items = [...(transfer?.items ?? [])].filter((item) => item.kind === "file");
  const folders = items.map((item) => item.webkitGetAsEntry?.()?.isDirectory ?? false);
  return [...(transfer?.files ?? [])].filter((_, at) => !folders[at]);
}

const isText = (target) => target instanceof Element && target.matches("input, textarea");
