// Copies a text; the button that asked for it says so for a moment.

export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Not allowed, or no secure address: the old way.
    const field = Object.assign(document.createElement("textarea"), { value: text, style: "position:fixed;opacity:0" });
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    button?.focus();
  }
  if (!button || button.dataset.words) return;
  button.dataset.words = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = button.dataset.words; delete button.dataset.words; }, 1500);
}
