// The parts of a dataset, in the order of the work: what is below its head. Each is a custom element of its own file.

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
  { key: "doctor", title: "Doctor", elements: ["ft-doctor"] },
  { key: "review", title: "Review", elements: ["ft-review"] },
  { key: "tag", title: "Tags", elements: ["ft-tag"] },
  { key: "split", title: "Split", elements: ["ft-split"] },
  { key: "more", title: "More rows", elements: ["ft-more"] },
  { key: "mix", title: "Mix", elements: ["ft-mix"] },
  { key: "map", title: "Pictures", elements: ["ft-map"] },
  { key: "versions", title: "Versions", elements: ["ft-versions"] },
];
