/** The clipboard of this device, as far as the browser lets a page near it. */

export type Permission = 'granted' | 'denied' | 'prompt' | 'unknown';

/** Whether there is one at all: only on secure origins. */
export function hasDeviceClipboard(): boolean {
  return window.isSecureContext && typeof navigator.clipboard?.writeText === 'function';
}

/** Whether it may be read without asking. Some browsers know no such permission. */
export async function readPermission(): Promise<Permission> {
  try {
    const name = 'clipboard-read' as PermissionName;
    return (await navigator.permissions.query({ name })).state;
  } catch {
    return 'unknown';
  }
}

/** Its text, or `null` where the browser or the person says no. */
export async function readDevice(): Promise<string | null> {
  try {
    return await navigator.clipboard.readText();
  } catch {
    return null;
  }
}

export async function writeDevice(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
