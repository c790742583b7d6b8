// The parts of a dataset, in the order of the work: what is below its head. Each is a custom element of its own file.

import "./doctor.js";
import "./review.js";
import "./versions.js";

export const PARTS = [
  { key: "", title: "Rows", elements: ["ft-overview", "ft-rows"] },
  { key: "doctor", title: "Doctor", elements: ["ft-doctor"] },
  { key: "review", title: "Review", elements: ["ft-review"] },
  { key: "versions", title: "Versions", elements: ["ft-versions"] },
];
