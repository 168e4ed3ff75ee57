/** Giving a name: whoever gets one that somebody has already may be the same person. */

import { call, post } from "../api.js";
import { h } from "../dom.js";
import { ask } from "../notices.js";

/** Name a person; no name takes it away. Says what was done in words, and the id of whom the faces belong to now. */
export async function giveName(id, name) {
  const { same_name: others } = await call("PATCH", `/people/${id}`, { json: { name } });
  if (!name) return { id, words: "The name is removed." };
  if (!others.length || !(await areOne())) return { id, words: `This is ${name}.` };
  await post(`/people/${id}/merge`, { into: others[0] });
  return { id: others[0], words: "They are one person now." };
}

function areOne() {
  const text = h("p", {}, "Somebody has this name already. One person has all the pictures; two people keep theirs, both with the name.");
  return ask("The same person?", text, "One person", "", "Two people");
}
