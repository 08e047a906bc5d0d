/* Texts and exit codes of the statuses, made from the one table. Must not allocate or print. */
#include <cella/status.h>
#include <string.h>

struct row {
    enum cella_status status;
    int exit_code;
    const char *name;
    const char *sentence;
    const char *remedy;
};

static const struct row rows[] = {
#define CELLA_STATUS_ROW(row_name, number, row_exit, row_sentence, row_remedy)                               \
    {.status = CELLA_##row_name,                                                                             \
     .exit_code = (row_exit),                                                                                \
     .name = #row_name,                                                                                      \
     .sentence = (row_sentence),                                                                             \
     .remedy = (row_remedy)},
#include <cella/status.def>
#undef CELLA_STATUS_ROW
};

static const struct row unknown = {.status = CELLA_INTERNAL,
                                   .exit_code = 70,
                                   .name = "UNKNOWN",
                                   .sentence = "a status that this release does not know",
                                   .remedy = "update Cella on this machine"};

static const struct row *find(enum cella_status status) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].status == status)
            return &rows[i];
    return &unknown;
}

const char *cella_status_name(enum cella_status status) {
    return find(status)->name;
}

const char *cella_status_sentence(enum cella_status status) {
    return find(status)->sentence;
}

const char *cella_status_remedy(enum cella_status status) {
    return find(status)->remedy;
}

int cella_status_exit_code(enum cella_status status) {
    return find(status)->exit_code;
}

enum cella_status cella_status_from_name(const char *name, enum cella_status *ret_status) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, name) == 0) {
            *ret_status = rows[i].status;
            return CELLA_OK;
        }
    return CELLA_NOT_FOUND;
}
