// The browser that the tests use: the one of the system.

export const EXECUTABLE = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

export const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
