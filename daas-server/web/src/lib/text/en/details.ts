/** Words of the details of an instance, in English. */

export const details = {
  link: 'Details',
  linkOf: (name: string) => `Details of ${name}`,
  back: 'Back to my desktops',
  on: (host: string) => `Runs on ${host}`,
  since: (date: string) => `Launched on ${date}`,

  timeline: {
    title: 'What happened',
    lead: 'The newest first.',
    lasted: (time: string) => `for ${time}`,
    soFar: (time: string) => `for ${time} so far`,
    moment: 'for less than a second',
    failed: 'It failed without saying why.',
  },

  snapshots: {
    title: 'Snapshots',
    lead: 'A snapshot keeps what is on the disk, to go back to later. Programs that are open are not kept: save your work first.',
    empty: 'There are none yet.',
    name: 'Name of the snapshot',
    nameHint: 'Letters, digits, hyphens and underscores; a letter first.',
    nameFault: {
      form: 'Use 2 to 40 letters, digits, hyphens and underscores, a letter first. “current”, “pending” and “vzdump” are not possible.',
      taken: 'There is one of this name.',
    },
    take: 'Take snapshot',
    taken: (name: string) => `Snapshot “${name}” was taken.`,
    notNow: 'Snapshots are taken of a desktop that runs or is stopped.',
    made: (date: string) => `Taken on ${date}`,
    goBack: 'Go back',
    goBackTo: (name: string) => `Go back to ${name}`,
    stopFirst: 'Stop the desktop to go back to a snapshot.',
    remove: 'Remove',
    removeOne: (name: string) => `Remove ${name}`,
    goBackTitle: (name: string) => `Go back to “${name}”?`,
    goBackText: (date: string) =>
      `The desktop will be as it was on ${date}. What was saved in it since then is lost. This cannot be undone.`,
    wentBack: (name: string) => `The desktop is as it was at “${name}”. Start it to go on.`,
    removeTitle: (name: string) => `Remove “${name}”?`,
    removeText: 'The desktop stays as it is, but nobody can go back to this any more.',
    removed: (name: string) => `Snapshot “${name}” was removed.`,
    goesOn: 'This takes longer. It goes on by itself, and the list shows when it is done.',
  },
};
