// The settings of a run as a file, out of the Train page and into it, and those taken over from an old run.

import { tell } from "./base.js";

export function save(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${text}\n`], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// What was chosen in `field`, a list of runs or a file, is filled into the form of the page `train`.
export async function bringSettings(train, field) {
  if (field.matches("[data-reuse]") && field.value) { await train.reuse(field.value); field.value = ""; }
  if (!field.matches("[data-load]") || !field.files.length) return;
  const file = field.files[0];
  try {
    const { settings } = await tell("/studio/train/of-file", { name: file.name, text: await file.text() });
    train.take(settings, `The settings in ${file.name} are filled in.`);
  } catch (error) { train.say(error); }
  field.value = "";
}
