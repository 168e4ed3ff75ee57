/** From what was dropped or chosen to a stream of pictures: folders are walked, ZIP files opened. */

import { zipEntries } from "./zip.js";

const PICTURES = /\.(jpe?g|png|webp|gif|bmp|tiff?|heic|heif)$/i;
const ZIP = /\.zip$/i;
const HIDDEN = /(^|\/)(\.|__MACOSX\/)/;

/** What a drop holds. Must be called while the event is handled: browsers empty it afterwards. */
export function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  return entries.length ? walk(entries) : chosen(transfer.files);
}

/** Files of an input element. One that was chosen alone is taken whatever its name; a folder brings other things, too. */
export async function* chosen(files) {
  for (const file of files) {
    const name = file.webkitRelativePath || file.name;
    yield* opened(file, name, !file.webkitRelativePath);
  }
}

async function* walk(entries, depth = 0) {
  for (const entry of entries) {
    if (entry.isDirectory) yield* walk(await children(entry), depth + 1);
    else {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      yield* opened(file, entry.fullPath.replace(/^\/+/, ""), depth === 0);
    }
  }
}

/** The browser gives a folder's entries a hundred at a time, and an empty list at the end. */
async function children(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return all.sort((a, b) => a.name.localeCompare(b.name));
    all.push(...some);
  }
}

async function* opened(file, name, wanted) {
  if (ZIP.test(name)) yield* unzipped(file, name);
  else if (wanted || (PICTURES.test(name) && !HIDDEN.test(name))) {
    yield { name, size: file.size, blob: async () => file };
  } else yield { skipped: name };
}

async function* unzipped(file, name) {
  let entries;
  try {
    entries = await zipEntries(file);
  } catch (error) {
    yield { name, size: file.size, problem: error.message };
    return;
  }
  for (const entry of entries) {
    if (PICTURES.test(entry.name) && !HIDDEN.test(entry.name)) yield entry;
    else yield { skipped: entry.name };
  }
}
