/*
 * The part of guacamole-common-js that the page uses. The package brings types of its own,
 * but they differ from what its code does (`Parser.toInstruction` takes an array, mouse
 * events are not events) and let `any` through.
 */
declare module '@glokon/guacamole-common-js' {
  class Status {
    constructor(code: number, message?: string);
    readonly code: number;
    readonly message?: string;
  }

  class Parser {
    oninstruction: ((opcode: string, parameters: string[]) => void) | null;
    receive(packet: string): void;
    static codePointCount(text: string, start?: number, end?: number): number;
    static toInstruction(elements: readonly (string | number)[]): string;
  }

  /** What `Client` expects of a tunnel. */
  interface Tunnel {
    state: number;
    uuid: string | null;
    onuuid: ((uuid: string) => void) | null;
    onerror: ((status: Status) => void) | null;
    onstatechange: ((state: number) => void) | null;
    oninstruction: ((opcode: string, parameters: string[]) => void) | null;
    connect(data?: string): void;
    disconnect(): void;
    sendMessage(...elements: (string | number)[]): void;
    isConnected(): boolean;
  }

  interface InputStream {
    readonly index: number;
    onblob: ((base64: string) => void) | null;
    onend: (() => void) | null;
  }

  interface OutputStream {
    readonly index: number;
    sendBlob(base64: string): void;
    sendEnd(): void;
  }

  interface Layer {
    readonly width: number;
    readonly height: number;
    resize(width: number, height: number): void;
  }

  interface Display {
    oncursor: ((canvas: HTMLCanvasElement, x: number, y: number) => void) | null;
    onresize: ((width: number, height: number) => void) | null;
    getElement(): HTMLElement;
    getWidth(): number;
    getHeight(): number;
    getDefaultLayer(): Layer;
    getScale(): number;
    scale(scale: number): void;
    showCursor(shown: boolean): void;
    cancel(): void;
    flatten(): HTMLCanvasElement;
  }

  class Client {
    constructor(tunnel: Tunnel);
    onstatechange: ((state: number) => void) | null;
    onerror: ((status: Status) => void) | null;
    onclipboard: ((stream: InputStream, mimetype: string) => void) | null;
    getDisplay(): Display;
    connect(data?: string): void;
    disconnect(): void;
    sendSize(width: number, height: number): void;
    sendKeyEvent(pressed: 0 | 1, keysym: number): void;
    sendMouseState(state: MouseState, applyDisplayScale?: boolean): void;
    createClipboardStream(mimetype: string): OutputStream;
  }

  interface MouseState {
    x: number;
    y: number;
    left: boolean;
    middle: boolean;
    right: boolean;
    up: boolean;
    down: boolean;
  }

  interface MouseEvent {
    readonly type: string;
    readonly state: MouseState;
    preventDefault(): void;
    stopPropagation(): void;
  }

  class MouseEventTarget {
    onEach(types: readonly string[], listener: (event: MouseEvent) => void): void;
    on(type: string, listener: (event: MouseEvent) => void): void;
  }

  class Mouse extends MouseEventTarget {
    constructor(element: HTMLElement);
    setCursor(canvas: HTMLCanvasElement, x: number, y: number): boolean;
    static readonly Touchpad: new (element: HTMLElement) => MouseEventTarget;
    static readonly Touchscreen: new (element: HTMLElement) => MouseEventTarget;
  }

  class Keyboard {
    constructor(element?: HTMLElement);
    onkeydown: ((keysym: number) => boolean) | null;
    onkeyup: ((keysym: number) => void) | null;
    readonly pressed: Record<number, boolean | undefined>;
    press(keysym: number): boolean;
    release(keysym: number): void;
    type: (text: string) => void;
    reset(): void;
    listenTo(element: HTMLElement): void;
  }

  const AudioPlayer: { getSupportedTypes(): string[] };

  const Guacamole: {
    readonly Status: typeof Status;
    readonly Parser: typeof Parser;
    readonly Client: typeof Client;
    readonly Mouse: typeof Mouse;
    readonly Keyboard: typeof Keyboard;
    readonly AudioPlayer: typeof AudioPlayer;
  };
  export default Guacamole;
  export type {
    Client,
    Display,
    InputStream,
    Keyboard,
    Mouse,
    MouseEvent,
    MouseEventTarget,
    MouseState,
    OutputStream,
    Parser,
    Status,
    Tunnel,
  };
}
