/**
 * Reading ZIP files by what the browser itself can do: the directory at the end is read first, then each file is unpacked when
 * it is its turn, so a ZIP of any size takes no more memory than its largest picture.
 *
 * The format is that of PKWARE's APPNOTE.TXT: end record (4.3.16), ZIP64 end record (4.3.14), central directory (4.3.12).
 */

const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const ENTRY = 0x02014b50;
const END_SIZE = 22;
const LONGEST_COMMENT = 65535;
const LOCAL_HEAD = 30;
const FULL = 0xffffffff;
const ENCRYPTED = 1;
const UTF8 = 1 << 11;

export class BadZip extends Error {}

/** The files of a ZIP, each as {name, size, blob()}. Throws BadZip. */
export async function zipEntries(file) {
  const { start, size } = await findDirectory(file);
  const view = await viewOf(file, start, start + size);
  const entries = [];
  let at = 0;
  while (at + 46 <= view.byteLength && view.getUint32(at, true) === ENTRY) {
    const entry = readEntry(view, at);
    at = entry.next;
    if (!entry.name.endsWith("/")) entries.push({ name: entry.name, size: entry.size, blob: () => unpack(file, entry) });
  }
  return entries;
}

async function findDirectory(file) {
  const from = Math.max(0, file.size - END_SIZE - LONGEST_COMMENT);
  const view = await viewOf(file, from, file.size);
  for (let at = view.byteLength - END_SIZE; at >= 0; at -= 1) {
    if (view.getUint32(at, true) !== END) continue;
    const size = view.getUint32(at + 12, true);
    const start = view.getUint32(at + 16, true);
    const is64 = at >= 20 && view.getUint32(at - 20, true) === LOCATOR64;
    return is64 ? findDirectory64(file, big(view, at - 20 + 8)) : { start, size };
  }
  throw new BadZip("this is no ZIP file");
}

async function findDirectory64(file, at) {
  const view = await viewOf(file, at, at + 56);
  if (view.byteLength < 56 || view.getUint32(0, true) !== END64) throw new BadZip("the ZIP file is damaged");
  return { size: big(view, 40), start: big(view, 48) };
}

function readEntry(view, at) {
  const nameSize = view.getUint16(at + 28, true);
  const extraSize = view.getUint16(at + 30, true);
  const nameEnd = at + 46 + nameSize;
  const entry = {
    flags: view.getUint16(at + 8, true),
    method: view.getUint16(at + 10, true),
    packed: view.getUint32(at + 20, true),
    size: view.getUint32(at + 24, true),
    start: view.getUint32(at + 42, true),
    next: nameEnd + extraSize + view.getUint16(at + 32, true),
  };
  const raw = new Uint8Array(view.buffer, view.byteOffset + at + 46, nameSize);
  entry.name = new TextDecoder(entry.flags & UTF8 ? "utf-8" : "windows-1252").decode(raw).replaceAll("\\", "/");
  widen(entry, view, nameEnd, nameEnd + extraSize);
  return entry;
}

/** Sizes that do not fit 32 bits stand in the extra field 1, in this order, and only those (APPNOTE 4.5.3). */
function widen(entry, view, start, end) {
  for (let at = start; at + 4 <= end; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    let next = at + 4;
    for (const field of ["size", "packed", "start"]) {
      if (entry[field] !== FULL) continue;
      entry[field] = big(view, next);
      next += 8;
    }
  }
}

async function unpack(file, entry) {
  if (entry.flags & ENCRYPTED) throw new BadZip("the ZIP file is encrypted");
  const head = await viewOf(file, entry.start, entry.start + LOCAL_HEAD);
  const start = entry.start + LOCAL_HEAD + head.getUint16(26, true) + head.getUint16(28, true);
  const packed = file.slice(start, start + entry.packed);
  if (entry.method === 0) return packed;
  if (entry.method !== 8) throw new BadZip(`packed by a method (${entry.method}) that browsers do not know`);
  const stream = packed.stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(stream).blob();
}

async function viewOf(file, start, end) {
  return new DataView(await file.slice(start, end).arrayBuffer());
}

function big(view, at) {
  return Number(view.getBigUint64(at, true));
}
