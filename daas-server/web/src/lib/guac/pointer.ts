/** Mouse and fingers on the picture of one connection, and the pointer it shows. */

import Guacamole, { type Mouse, type MouseEvent } from '@glokon/guacamole-common-js';
import type { Connection } from './connection';

export interface PointerHandlers {
  /** Which kind of touch is in use. */
  touchMode(): 'touchscreen' | 'touchpad';
  /** Somebody points at the desktop: keys are meant for it now. */
  used(): void;
}

const BUTTONS = ['mousedown', 'mouseup', 'mousemove'] as const;
/** Browsers do not show larger pointers. */
const CURSOR_SIDE_MAX = 128;

export function attachPointer(connection: Connection, handlers: PointerHandlers): void {
  const { display } = connection;
  const element = display.getElement();
  const mouse = new Guacamole.Mouse(element);
  const touchscreen = new Guacamole.Mouse.Touchscreen(element);
  const touchpad = new Guacamole.Mouse.Touchpad(element);

  const forward = (event: MouseEvent, drawn: boolean): void => {
    event.preventDefault();
    event.stopPropagation();
    if (event.type === 'mousedown') handlers.used();
    display.showCursor(drawn);
    connection.sendMouse(event.state);
  };
  mouse.onEach(BUTTONS, (event) => forward(event, false));
  mouse.on('mouseout', () => display.showCursor(false));
  touchscreen.onEach(BUTTONS, (event) => {
    if (handlers.touchMode() === 'touchscreen') forward(event, false);
  });
  touchpad.onEach(BUTTONS, (event) => {
    if (handlers.touchMode() === 'touchpad') forward(event, true);
  });

  connection.oncursor = () => showCursor(connection, mouse);
  showCursor(connection, mouse);
}

/** The browser draws the pointer, so that it follows the hand at once. */
export function showCursor(connection: Connection, mouse: Mouse): void {
  const { cursor, display } = connection;
  if (!cursor || cursor.canvas.width === 0 || cursor.canvas.height === 0) return;
  const scale = Math.min(
    display.getScale(),
    CURSOR_SIDE_MAX / Math.max(cursor.canvas.width, cursor.canvas.height),
  );
  mouse.setCursor(scaled(cursor.canvas, scale), Math.floor(cursor.x * scale), Math.floor(cursor.y * scale));
  display.showCursor(false);
}

function scaled(canvas: HTMLCanvasElement, scale: number): HTMLCanvasElement {
  if (Math.abs(scale - 1) < 0.01) return canvas;
  const copy = document.createElement('canvas');
  copy.width = Math.max(1, Math.round(canvas.width * scale));
  copy.height = Math.max(1, Math.round(canvas.height * scale));
  copy.getContext('2d')?.drawImage(canvas, 0, 0, copy.width, copy.height);
  return copy;
}
