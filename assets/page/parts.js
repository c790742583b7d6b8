// The parts of a dataset, in the order of the work: what is below its head. Each is a custom element of its own file.
// `leads`: it has a main button of its own, so that of the head steps back.

import "./review.js";
import "./bulk.js";
import "./doctor.js";
import "./map.js";
import "./mix.js";
import "./more.js";
import "./split.js";
import "./tag.js";
import "./versions.js";

export const PARTS = [
  { key: "", title: "Rows", elements: ["ft-overview", "ft-bulk", "ft-rows"] },
  { key: "doctor", title: "Doctor", elements: ["ft-doctor"], leads: true },
  { key: "review", title: "Review", elements: ["ft-review"], leads: true },
  { key: "tag", title: "Tags", elements: ["ft-tag"], leads: true },
  { key: "split", title: "Split", elements: ["ft-split"], leads: true },
  { key: "more", title: "More rows", elements: ["ft-more"], leads: true },
  { key: "mix", title: "Mix", elements: ["ft-mix"], leads: true },
  { key: "map", title: "Charts and map", elements: ["ft-map"] },
  { key: "versions", title: "Versions", elements: ["ft-versions"] },
];
