/* How the demo tells its story: numbered steps with facts, checks and what they prove, on a terminal, as
 * plain lines, or as JSON. */
#include "base/error.h"
#include "cli/demo.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LINE_SIZE = 1024, WIDTH = 96, INDENT = 6, HASH_DIGITS = 64, SHORT_DIGITS = 12 };

#define BOLD  "\033[1m"
#define DIM   "\033[2m"
#define GREEN "\033[32m"
#define RED   "\033[1;31m"
#define PLAIN "\033[0m"

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static const char *paint(const struct demo_story *story, const char *colour) {
    return story->colour ? colour : "";
}

/* Shortens hashes and keys in place: the first twelve digits of a long run tell them apart. */
static void shorten(char *text) {
    char *out = text;
    while (*text != '\0') {
        size_t run = strspn(text, "0123456789abcdef");
        size_t keep = run < HASH_DIGITS ? run : SHORT_DIGITS;
        keep = run == 0 ? 1 : keep;
        memmove(out, text, keep);
        out += keep;
        text += run == 0 ? 1 : run;
        if (run >= HASH_DIGITS) {
            memcpy(out, "...", 3);
            out += 3;
        }
    }
    *out = '\0';
}

/* Breaks a sentence at blanks, so that it stands in a column of its own. */
static void print_wrapped(const char *sentence, size_t indent) {
    char text[LINE_SIZE];
    size_t column = indent;
    snprintf(text, sizeof text, "%s", sentence);
    shorten(text);
    for (const char *word = text; *word != '\0';) {
        size_t size = strcspn(word, " ");
        if (column > indent && column + 1 + size > WIDTH) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)size, word);
        column += size;
        word += size;
        word += strspn(word, " ");
    }
    putchar('\n');
}

void demo_step(struct demo_story *story, const char *title) {
    story->count++;
    story->step_ns = now_ns();
    story->step =
        json_pack("{s:i, s:s, s:[], s:[]}", "number", (int)story->count, "title", title, "facts", "checks");
    if (!story->json)
        printf("\n%s%3zu  %s%s\n", paint(story, BOLD), story->count, title, paint(story, PLAIN));
    fflush(stdout);
}

void demo_fact(struct demo_story *story, const char *format, ...) {
    char line[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    json_array_append_new(json_object_get(story->step, "facts"), json_string(line));
    if (!story->json)
        printf("%*s%s\n", INDENT - 1, "", line);
    fflush(stdout);
}

void demo_quote(struct demo_story *story, const char *sentence) {
    json_array_append_new(json_object_get(story->step, "facts"), json_string(sentence));
    if (!story->json) {
        printf("%*s|   ", INDENT - 1, "");
        print_wrapped(sentence, INDENT + 3);
    }
    fflush(stdout);
}

static void add_check(struct demo_story *story, bool held, const char *line) {
    if (!held)
        story->failed = true;
    json_array_append_new(json_object_get(story->step, "checks"),
                          json_pack("{s:s, s:b}", "check", line, "held", held));
    if (story->json)
        return;
    printf("%*s%s%s%s  ", INDENT - 1, "", paint(story, held ? GREEN : RED), held ? "ok" : "FAILED",
           paint(story, PLAIN));
    print_wrapped(line, INDENT + 3);
    fflush(stdout);
}

bool demo_check(struct demo_story *story, bool held, const char *format, ...) {
    char line[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    add_check(story, held, line);
    return held;
}

bool demo_expect(struct demo_story *story, enum cella_status status, enum cella_status expected,
                 const struct cella_error *error, const char *sentence) {
    char line[LINE_SIZE];
    const char *message = error->message[0] != '\0' ? error->message : cella_status_sentence(status);
    if (status == expected)
        snprintf(line, sizeof line, "%s: \"%s\" [%s]", sentence, message, cella_status_name(status));
    else
        snprintf(line, sizeof line, "%s: expected [%s], but it ended with [%s] %s", sentence,
                 cella_status_name(expected), cella_status_name(status), status == CELLA_OK ? "" : message);
    add_check(story, status == expected, line);
    return status == expected;
}

bool demo_ok(struct demo_story *story, enum cella_status status, const struct cella_error *error,
             const char *what) {
    if (status == CELLA_OK)
        return true;
    const char *message = error->message[0] != '\0' ? error->message : cella_status_sentence(status);
    return demo_check(story, false, "%s: %s [%s]", what, message, cella_status_name(status));
}

void demo_end(struct demo_story *story, const char *proves) {
    int64_t ms_tenths = (now_ns() - story->step_ns) / 100000;
    json_object_set_new(story->step, "proves", json_string(proves));
    json_object_set_new(story->step, "milliseconds", json_real((double)ms_tenths / 10));
    json_array_append_new(story->steps, story->step);
    story->step = NULL;
    if (story->json)
        return;
    printf("%*s%s=>  ", INDENT - 1, "", paint(story, DIM));
    print_wrapped(proves, INDENT + 3);
    printf("%*s    %lld.%lld ms%s\n", INDENT - 1, "", (long long)(ms_tenths / 10),
           (long long)(ms_tenths % 10), paint(story, PLAIN));
}
