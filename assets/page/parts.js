// The parts of a dataset, in the order of the work: what is below its head. Each is a custom element of its own file.

export const PARTS = [
  { key: "", title: "Rows", elements: ["ft-overview", "ft-rows"] },
];
