/**
 * What a fault of the page itself leaves behind would be an old picture that looks new: so it is taken away. Made by hand, since whatever draws the
 * page may be what is broken.
 */
export function showFaults(root: HTMLElement): void {
  const fault = (): void => {
    document.title = "⚠ fault · Jelling";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "again";
    button.textContent = "Load it again";
    button.addEventListener("click", () => location.reload());
    const words = document.createElement("p");
    words.textContent = "This page has a fault, and shows nothing so that nothing old is taken for new. Look at the pump.";
    const box = document.createElement("main");
    box.className = "refused";
    box.setAttribute("role", "alert");
    box.append(words, button);
    root.replaceWith(box);
  };
  addEventListener("error", fault, { once: true });
  addEventListener("unhandledrejection", fault, { once: true });
}
