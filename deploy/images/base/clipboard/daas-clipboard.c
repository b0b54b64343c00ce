/* Text on its way between the clipboard of X and VNC.
 *
 *   daas-clipboard LOG
 *
 * The cut text of VNC is Latin-1. guacd up to 1.6.0 with `clipboard-encoding` UTF-8 puts
 * bytes of UTF-8 in and takes such out (guacamole-server, src/protocols/vnc/clipboard.c).
 * Xvnc keeps to Latin-1: inside, each byte is a character of its own ("GrÃ¼..."); outside,
 * what Latin-1 does not have is a question mark, and what it has is not UTF-8. guacd is not
 * prepared for that: text that ends with such a character, as "café" does, makes it spin
 * for ever (src/common/iconv.c). Later versions speak the Extended Clipboard, which carries
 * real text. Both work with this program between applications and Xvnc.
 *
 * Inward: Xvnc has become the owner of the clipboard. Its text is fetched. If it is UTF-8 in
 * the clothes of Latin-1, this program owns the clipboard and the selection with what was
 * meant, and tells Xvnc nothing of it, so that nothing goes back. Other text stays as it is.
 *
 * Outward: Xvnc sends nothing (SendCutText is off) but what this program hands it: the text
 * of an application that has become the owner, which stays the owner. That is answering the
 * requests that Xvnc makes to the owner before the owner does, with the server grabbed so
 * that nothing comes between. Xvnc says in its LOG, in the answer to the first of them,
 * "Attempting unsolicited clipboard transfer" if the client has the extension: then it gets
 * the text, else UTF-8 in the clothes of Latin-1.
 *
 * Viewers that are not guacd have the extension too, but may want to ask for the text when
 * they need it. They tell what they can do, which is in the LOG; from then on SendCutText
 * stays on, and Xvnc does what it always does.
 *
 * Limits: text that is meant to be UTF-8 in the clothes of Latin-1 ("Ã¼") is undressed
 * inside. Where clients with and without the extension look on at the same time, all get
 * what those with it need. Text over 1 MiB, or in parts (INCR), stays where it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xcb/xcb.h>
#include <xcb/xcbext.h>
#include <xcb/xfixes.h>

enum {
    TEXT_MAX = 1 << 20, /* bytes that are taken */
    ANSWER_MS = 1500,   /* for an application to answer in */
    LOG_READ = 4096,
};

#define NAMES(X)                                                                               \
    X(CLIPBOARD) X(TARGETS) X(TIMESTAMP) X(INCR) X(TEXT) X(UTF8_STRING)                         \
    X(DAAS_CLIPBOARD_0) X(DAAS_CLIPBOARD_1) X(DAAS_CLIPBOARD_2) X(DAAS_CLIPBOARD_3)
#define AS_NUMBER(name) name,
#define AS_STRING(name) #name,
enum { NAMES(AS_NUMBER) PLAIN_UTF8, ATOMS };
static const char *const atom_names[ATOMS] = {NAMES(AS_STRING) "text/plain;charset=utf-8"};

struct bytes {
    uint8_t *data;
    size_t size;
};

/* What is being fetched from the owner of the clipboard. */
struct fetch {
    enum { IDLE, FROM_XVNC, FROM_APPLICATION } from;
    unsigned generation; /* each has a property of its own: an answer may come late */
    xcb_timestamp_t time;
    size_t next; /* of the targets that are text */
    xcb_atom_t target;
};

static xcb_connection_t *x;
static const xcb_setup_t *setup;
static xcb_window_t window;
static xcb_atom_t atoms[ATOMS];
static struct fetch fetch;
static int log_file = -1;
/* What this program owns: text from outside, since when. */
static struct bytes owned_utf8, owned_latin1;
static xcb_timestamp_t owned_since;
/* What the log has said: a push to a client with the extension, since this was last reset,
 * and ever a client that tells what it can do. */
static bool pushed_extended, has_viewer;

static void fail(const char *what) {
    fprintf(stderr, "daas-clipboard: %s\n", what);
    exit(1);
}

/* Windows of the server itself, and none of a client, have no client in their number. */
static bool is_xvnc(xcb_window_t id) { return id != XCB_NONE && !(id & ~setup->resource_id_mask); }

/* ---- Text ---- */

/* Bytes of the character at the start, 0 if there is none in valid UTF-8. */
static size_t character(const uint8_t *data, size_t size, uint32_t *code) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t first = size ? data[0] : 0xff;
    const size_t length = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
    if (length == 0 || length > size) return 0;
    *code = length == 1 ? first : first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((data[i] & 0xc0) != 0x80) return 0;
        *code = *code << 6 | (data[i] & 0x3f);
    }
    const bool surrogate = *code >= 0xd800 && *code < 0xe000;
    return *code < least[length] || *code > 0x10ffff || surrogate ? 0 : length;
}

static bool is_utf8(struct bytes text) {
    uint32_t code;
    for (size_t at = 0, length; at < text.size; at += length)
        if ((length = character(text.data + at, text.size - at, &code)) == 0) return false;
    return true;
}

static bool is_ascii(struct bytes text) {
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= 0x80) return false;
    return true;
}

/* Room for bytes; text grows to no more than four times its size, being encoded twice. */
static struct bytes room(size_t size) {
    struct bytes bytes = {size <= 4 * TEXT_MAX ? malloc(size + 1) : NULL, 0};
    if (!bytes.data) fail("out of memory");
    return bytes;
}

static struct bytes copy(const void *data, size_t size) {
    struct bytes bytes = room(size);
    if (size) memcpy(bytes.data, data, size);
    bytes.size = size;
    return bytes;
}

/* Latin-1 of valid UTF-8; says how many characters have none and became question marks. */
static struct bytes latin1_of(struct bytes utf8, size_t *lost) {
    struct bytes latin1 = room(utf8.size);
    uint32_t code = 0;
    *lost = 0;
    for (size_t at = 0, length; at < utf8.size; at += length) {
        if ((length = character(utf8.data + at, utf8.size - at, &code)) == 0) break;
        *lost += code > 0xff;
        latin1.data[latin1.size++] = code > 0xff ? '?' : (uint8_t)code;
    }
    return latin1;
}

static struct bytes utf8_of(struct bytes latin1) {
    struct bytes utf8 = room(2 * latin1.size);
    for (size_t i = 0; i < latin1.size; i++) {
        const uint8_t byte = latin1.data[i];
        if (byte >= 0x80) utf8.data[utf8.size++] = 0xc0 | byte >> 6;
        utf8.data[utf8.size++] = byte < 0x80 ? byte : 0x80 | (byte & 0x3f);
    }
    return utf8;
}

/* ---- The log of Xvnc ---- */

static void on_line(const char *line) {
    if (strstr(line, "Attempting unsolicited clipboard transfer")) pushed_extended = true;
    if (strstr(line, "Got client clipboard capabilities")) has_viewer = true;
}

/* Takes whole lines; answers how much is left. */
static size_t take_lines(char *buffer, size_t size) {
    char *line = buffer, *end;
    buffer[size] = 0;
    while ((end = memchr(line, '\n', size - (size_t)(line - buffer)))) {
        *end = 0;
        /* Where room was given back, before this program was started again, are zeros. */
        while (line < end && !*line) line++;
        on_line(line);
        line = end + 1;
    }
    const size_t left = size - (size_t)(line - buffer);
    memmove(buffer, line, left);
    return left < LOG_READ ? left : 0;
}

/* Reads what is new, and gives the room back to the file system: nobody else would. */
static void read_log(void) {
    static char buffer[2 * LOG_READ + 1];
    static size_t kept;
    static off_t offset;
    const off_t before = offset;
    ssize_t got;
    while ((got = pread(log_file, buffer + kept, LOG_READ, offset)) > 0) {
        offset += got;
        kept = take_lines(buffer, kept + (size_t)got);
    }
    /* Not every file system can; then it grows a little with each copy. */
    if (offset > before) (void)!fallocate(log_file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, offset);
}

/* ---- Outward ---- */

/* Sets the parameter SendCutText of Xvnc ("SetParam" of its extension, unix/vncconfig/vncExt.h). */
static void set_send(bool on) {
    static xcb_extension_t extension = {"TIGERVNC", 0};
    static const char name[12] = "SendCutText";
    struct {
        uint8_t major, minor;
        uint16_t length, name_length, value_length;
        char name[12], value[4];
    } request = {.name_length = sizeof name - 1, .value_length = 1, .value = {on ? '1' : '0'}};
    memcpy(request.name, name, sizeof name);
    /* Two elements before the first are for the library. */
    struct iovec parts[3] = {[2] = {&request, sizeof request}};
    const xcb_protocol_request_t protocol = {.count = 1, .ext = &extension, .opcode = 0, .isvoid = 0};
    const unsigned sequence = xcb_send_request(x, XCB_REQUEST_CHECKED, parts + 2, &protocol);
    uint8_t *reply = sequence ? xcb_wait_for_reply(x, sequence, NULL) : NULL;
    if (!reply || !reply[1]) fail("the screen does not let SendCutText be set");
    free(reply);
}

static bool is_input_only(xcb_window_t id) {
    xcb_get_window_attributes_reply_t *reply =
        xcb_get_window_attributes_reply(x, xcb_get_window_attributes(x, id), NULL);
    const bool is = reply && reply->_class == XCB_WINDOW_CLASS_INPUT_ONLY;
    free(reply);
    return is;
}

/* The window by which Xvnc takes part: the server's own among the children of the root that
 * shows nothing. It is there once somebody has owned the clipboard. */
static xcb_window_t find_xvnc(void) {
    const xcb_window_t root = xcb_setup_roots_iterator(setup).data->root;
    xcb_query_tree_reply_t *tree = xcb_query_tree_reply(x, xcb_query_tree(x, root), NULL);
    xcb_window_t found = XCB_NONE;
    const int count = tree ? xcb_query_tree_children_length(tree) : 0;
    for (int i = 0; i < count && !found; i++) {
        const xcb_window_t child = xcb_query_tree_children(tree)[i];
        if (is_xvnc(child) && is_input_only(child)) found = child;
    }
    free(tree);
    return found;
}

static void notify(const xcb_selection_request_event_t *request, xcb_atom_t property) {
    union {
        xcb_selection_notify_event_t event;
        char bytes[32];
    } notify = {.bytes = {0}};
    notify.event.response_type = XCB_SELECTION_NOTIFY;
    notify.event.time = request->time;
    notify.event.requestor = request->requestor;
    notify.event.selection = request->selection;
    notify.event.target = request->target;
    notify.event.property = property;
    xcb_send_event(x, 0, request->requestor, XCB_EVENT_MASK_NO_EVENT, notify.bytes);
}

/* Whether it fits into a request; `format` is the bits of a unit. */
static bool put(const xcb_selection_request_event_t *request, xcb_atom_t property, xcb_atom_t type, uint8_t format, struct bytes bytes) {
    const size_t limit = (size_t)xcb_get_maximum_request_length(x) * 4 - 64;
    if (bytes.size > limit) return false;
    xcb_change_property(x, XCB_PROP_MODE_REPLACE, request->requestor, property, type, format,
                        (uint32_t)(bytes.size / (format / 8u)), bytes.data);
    return true;
}

/* Answers for the owner what Xvnc asked, or would ask, the owner. */
static void tell_xvnc(xcb_window_t xvnc, xcb_atom_t target, xcb_atom_t type, uint8_t format, struct bytes bytes) {
    const xcb_selection_request_event_t request = {
        .requestor = xvnc, .selection = atoms[CLIPBOARD], .target = target, .time = fetch.time};
    if (put(&request, target, type, format, bytes)) notify(&request, target);
}

/* Returns when the server has done all that it was told. */
static void wait_for_server(void) { free(xcb_get_input_focus_reply(x, xcb_get_input_focus(x), NULL)); }

static void hand_over(xcb_window_t xvnc, struct bytes text) {
    const struct bytes targets = {(uint8_t *)&atoms[UTF8_STRING], sizeof atoms[UTF8_STRING]};
    pushed_extended = false;
    tell_xvnc(xvnc, atoms[TARGETS], XCB_ATOM_ATOM, 32, targets);
    wait_for_server();
    read_log();
    struct bytes dressed = utf8_of(text);
    const bool plain = pushed_extended || has_viewer;
    tell_xvnc(xvnc, atoms[UTF8_STRING], atoms[UTF8_STRING], 8, plain ? text : dressed);
    free(dressed.data);
}

static void send_out(struct bytes text) {
    static bool left_to_xvnc;
    const xcb_window_t xvnc = find_xvnc();
    read_log();
    if (left_to_xvnc) return;
    if (!xvnc) fail("the screen has no window for selections");
    xcb_grab_server(x);
    set_send(true);
    hand_over(xvnc, text);
    left_to_xvnc = has_viewer;
    if (!left_to_xvnc) set_send(false);
    xcb_ungrab_server(x);
}

/* ---- Inward ---- */

static void own(struct bytes text) {
    size_t lost;
    free(owned_utf8.data);
    free(owned_latin1.data);
    owned_utf8 = text;
    owned_latin1 = latin1_of(text, &lost);
    owned_since = fetch.time;
    /* With the time of the owner before, this has no effect if there is a later one. */
    xcb_set_selection_owner(x, window, XCB_ATOM_PRIMARY, owned_since);
    xcb_set_selection_owner(x, window, atoms[CLIPBOARD], owned_since);
}

/* Text came in: what was meant, if it is UTF-8 in the clothes of Latin-1. */
static void take_in(struct bytes text) {
    if (is_ascii(text) || !is_utf8(text)) return;
    size_t lost;
    struct bytes meant = latin1_of(text, &lost);
    if (lost == 0 && is_utf8(meant))
        own(meant);
    else
        free(meant.data);
}

static bool serve(const xcb_selection_request_event_t *request, xcb_atom_t property) {
    xcb_atom_t targets[] = {atoms[TARGETS], atoms[TIMESTAMP], atoms[UTF8_STRING], atoms[PLAIN_UTF8], atoms[TEXT], XCB_ATOM_STRING};
    const struct bytes list = {(uint8_t *)targets, sizeof targets}, time = {(uint8_t *)&owned_since, sizeof owned_since};
    const xcb_atom_t target = request->target;
    /* It came from there. */
    if (is_xvnc(request->requestor) || !owned_utf8.data) return false;
    if (target == atoms[TARGETS]) return put(request, property, XCB_ATOM_ATOM, 32, list);
    if (target == atoms[TIMESTAMP]) return put(request, property, XCB_ATOM_INTEGER, 32, time);
    if (target == atoms[PLAIN_UTF8]) return put(request, property, target, 8, owned_utf8);
    if (target == atoms[UTF8_STRING] || target == atoms[TEXT])
        return put(request, property, atoms[UTF8_STRING], 8, owned_utf8);
    return target == XCB_ATOM_STRING && put(request, property, target, 8, owned_latin1);
}

static void on_request(const xcb_selection_request_event_t *request) {
    const xcb_atom_t property = request->property ? request->property : request->target;
    notify(request, serve(request, property) ? property : (xcb_atom_t)XCB_NONE);
}

/* ---- Fetching from the owner ---- */

static xcb_atom_t fetch_property(void) { return atoms[DAAS_CLIPBOARD_0 + fetch.generation % 4]; }

static void ask(void) {
    const xcb_atom_t texts[] = {atoms[UTF8_STRING], atoms[PLAIN_UTF8], XCB_ATOM_STRING};
    if (fetch.next == sizeof texts / sizeof texts[0]) {
        fetch.from = IDLE;
        return;
    }
    fetch.target = texts[fetch.next++];
    xcb_delete_property(x, window, fetch_property());
    xcb_convert_selection(x, window, atoms[CLIPBOARD], fetch.target, fetch_property(), fetch.time);
}

/* What was asked for, if it is text in one piece. */
static bool take_property(struct bytes *text) {
    const xcb_get_property_cookie_t cookie =
        xcb_get_property(x, 1, window, fetch_property(), XCB_GET_PROPERTY_TYPE_ANY, 0, TEXT_MAX / 4);
    xcb_get_property_reply_t *reply = xcb_get_property_reply(x, cookie, NULL);
    const bool whole = reply && reply->format == 8 && !reply->bytes_after && reply->type != atoms[INCR];
    if (whole) {
        struct bytes value = {xcb_get_property_value(reply), (size_t)xcb_get_property_value_length(reply)};
        *text = reply->type == XCB_ATOM_STRING ? utf8_of(value) : copy(value.data, value.size);
    }
    free(reply);
    return whole;
}

static void on_text(struct bytes text) {
    if (fetch.from == FROM_XVNC)
        take_in(text);
    else if (is_utf8(text))
        send_out(text);
    fetch.from = IDLE;
}

static void on_notify(const xcb_selection_notify_event_t *event) {
    struct bytes text = {NULL, 0};
    if (fetch.from == IDLE || event->target != fetch.target || event->time != fetch.time) return;
    if (event->property == fetch_property() && take_property(&text))
        on_text(text);
    else
        ask();
    free(text.data);
}

static void on_owner(const xcb_xfixes_selection_notify_event_t *event) {
    if (event->owner == window) return;
    fetch.generation++;
    fetch.from = is_xvnc(event->owner) ? FROM_XVNC : FROM_APPLICATION;
    fetch.time = event->selection_timestamp;
    fetch.next = 0;
    if (event->owner == XCB_NONE)
        fetch.from = IDLE;
    else
        ask();
}

/* ---- The program ---- */

static void intern_atoms(void) {
    xcb_intern_atom_cookie_t cookies[ATOMS];
    for (size_t i = 0; i < ATOMS; i++)
        cookies[i] = xcb_intern_atom(x, 0, (uint16_t)strlen(atom_names[i]), atom_names[i]);
    for (size_t i = 0; i < ATOMS; i++) {
        xcb_intern_atom_reply_t *reply = xcb_intern_atom_reply(x, cookies[i], NULL);
        if (!reply) fail("an atom was refused");
        atoms[i] = reply->atom;
        free(reply);
    }
}

static void create_window(void) {
    const xcb_screen_t *screen = xcb_setup_roots_iterator(setup).data;
    window = xcb_generate_id(x);
    xcb_create_window(x, 0, window, screen->root, -1, -1, 1, 1, 0, XCB_WINDOW_CLASS_INPUT_ONLY,
                      XCB_COPY_FROM_PARENT, 0, NULL);
}

/* Answers the number of the first event of XFixes. */
static uint8_t watch(void) {
    const uint32_t mask = XCB_XFIXES_SELECTION_EVENT_MASK_SET_SELECTION_OWNER
        | XCB_XFIXES_SELECTION_EVENT_MASK_SELECTION_WINDOW_DESTROY
        | XCB_XFIXES_SELECTION_EVENT_MASK_SELECTION_CLIENT_CLOSE;
    const xcb_query_extension_reply_t *extension = xcb_get_extension_data(x, &xcb_xfixes_id);
    if (!extension || !extension->present) fail("the screen has no XFixes");
    xcb_xfixes_query_version_reply_t *version = xcb_xfixes_query_version_reply(x, xcb_xfixes_query_version(x, 1, 0), NULL);
    if (!version) fail("XFixes does not answer");
    free(version);
    xcb_xfixes_select_selection_input(x, window, atoms[CLIPBOARD], mask);
    return extension->first_event;
}

static void handle(const xcb_generic_event_t *event, uint8_t first_xfixes) {
    const uint8_t type = event->response_type & 0x7f;
    /* Errors (0) are about windows that went away meanwhile: nobody waits any more. */
    if (type == XCB_SELECTION_REQUEST)
        on_request((const xcb_selection_request_event_t *)event);
    else if (type == XCB_SELECTION_NOTIFY)
        on_notify((const xcb_selection_notify_event_t *)event);
    else if (type == first_xfixes + XCB_XFIXES_SELECTION_NOTIFY)
        on_owner((const xcb_xfixes_selection_notify_event_t *)event);
}

/* Sends before it says that there is none; sending may bring events in as well. */
static xcb_generic_event_t *next_event(void) {
    xcb_generic_event_t *event = xcb_poll_for_event(x);
    if (event) return event;
    xcb_flush(x);
    return xcb_poll_for_queued_event(x);
}

static void handle_all(uint8_t first_xfixes) {
    for (xcb_generic_event_t *event; (event = next_event()); free(event)) handle(event, first_xfixes);
    if (xcb_connection_has_error(x)) fail("the screen is gone");
}

/* Waits for more; who does not answer in time is asked nothing more. */
static void wait(void) {
    struct pollfd ready = {.fd = xcb_get_file_descriptor(x), .events = POLLIN};
    const int count = poll(&ready, 1, fetch.from == FROM_APPLICATION ? ANSWER_MS : -1);
    if (count < 0 && errno != EINTR) fail("cannot wait");
    if (count == 0) fetch.from = IDLE;
}

int main(int arguments, char **argument) {
    if (arguments != 2) fail("usage: daas-clipboard LOG");
    if ((log_file = open(argument[1], O_RDWR | O_CLOEXEC)) < 0) fail("cannot open the log of the screen");
    x = xcb_connect(NULL, NULL);
    if (xcb_connection_has_error(x)) fail("cannot reach the screen");
    setup = xcb_get_setup(x);
    intern_atoms();
    create_window();
    const uint8_t first_xfixes = watch();
    for (;;) {
        handle_all(first_xfixes);
        wait();
    }
}
