// A catalogue.

/** @type {readonly (readonly [string, string, string, string, 'desktop' | 'application', boolean])[]} */
const ENTRIES = [
  ['debian', 'Debian desktop', 'A light desktop with a file manager, a terminal and a browser.', 'desktop', 'desktop', true],
  ['editor', 'Text editor', 'Write and edit text, full screen.', 'editor', 'application', true],
  ['browser', 'Web browser', 'A fresh browser that forgets everything when it is deleted.', 'browser', 'application', false],
  ['terminal', 'Terminal', 'A shell with the usual tools.', 'terminal', 'application', true],
  ['calculator', 'Calculator', 'Adds, subtracts and draws graphs.', 'app', 'application', true],
  ['office', 'Office', 'Documents, tables and slides.', 'editor', 'application', false],
  ['drawing', 'Drawing', 'Vector drawings and diagrams.', 'app', 'application', false],
  ['ide', 'Development', 'An editor for programs, with compilers.', 'terminal', 'desktop', false],
  ['mail', 'Mail', 'Read and write mail.', 'app', 'application', true],
  ['maps', 'Maps', 'Maps of the whole world.', 'browser', 'application', true],
];

/**
 * The first entries of the catalogue.
 * @param {number} count
 * @returns {import('./instances.mjs').App[]}
 */
export function apps(count) {
  return ENTRIES.slice(0, count).map(([slug, name, description, icon, kind, image_ready], index) => ({
    id: `00000000-0000-4000-8000-${String(index + 1).padStart(12, '0')}`,
    slug,
    name,
    description,
    icon,
    kind,
    image_ready,
  }));
}
