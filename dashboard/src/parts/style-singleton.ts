import { useEffect } from 'react';

const sheet = new CSSStyleSheet();
let users = 0;

function hold(styles: string): () => void {
  sheet.replaceSync(styles);
  users += 1;
  if (users === 1) document.adoptedStyleSheets.push(sheet);
  return () => {
    users -= 1;
    if (users === 0) document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
  };
}

/**
 * Takes the place of the package `react-style-singleton` (see vite.config.ts), by which Radix stops the page behind a
 * dialog from scrolling. A constructed sheet is no inline style, so the Content-Security-Policy lets it be.
 */
export function styleSingleton() {
  return function Style({ styles }: { styles: string; dynamic?: boolean }) {
    useEffect(() => hold(styles), [styles]);
    return null;
  };
}
