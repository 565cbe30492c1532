// The line between before and after: a range input, so that keys, touch and screen readers have it as they know it.

/** Gives moveTo(x), x in pixels of the window. */
export function slider(stage, input) {
  const show = () => {
    stage.style.setProperty("--split", `${input.value}%`);
    input.setAttribute("aria-valuetext", `${Math.round(input.value)} % before`);
  };
  input.addEventListener("input", show);
  show();
  return (x) => {
    const box = stage.getBoundingClientRect();
    input.value = (100 * (x - box.left)) / box.width;
    show();
  };
}
