/* cella sim: makes, shows and changes simulated machines. Must not print a secret, nor anything that could be
 * mistaken for real hardware. */
#include "base/calendar.h"
#include "base/hex.h"
#include "cli/cli.h"
#include "machine/sim/collateral.h"
#include "machine/sim/manage.h"
#include "machine/sim/tree.h"
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: cella sim new FOLDER [--own-vendor | --vendor FOLDER] [--version N]\n"
    "       cella sim show FOLDER [--root | --chain]\n"
    "       cella sim set-version FOLDER N [--required N]\n"
    "       cella sim swap-cpu FOLDER\n"
    "       cella sim expire-collateral FOLDER [--renew]\n"
    "       cella sim rewind-disk STORAGE (--save COPY | --restore COPY)\n"
    "\n"
    "A simulated machine is one folder. It protects nothing from the owner of this computer:\n"
    "whatever it signs is INSECURE, and no constraint accepts it unless it says so.\n"
    "\n"
    "  new                make a machine in a missing or empty folder\n"
    "    --own-vendor     with a vendor of its own: verifiers must be given its root\n"
    "    --vendor FOLDER  made by the vendor of the machine in FOLDER\n"
    "    --version N      its platform version, 0 to 12 (3)\n"
    "  show               describe it\n"
    "    --root           print the vendor's root certificate (PEM) instead\n"
    "    --chain          print the certificates that its quotes carry (PEM) instead\n"
    "  set-version        raise or lower the platform version; below the required one its\n"
    "                     evidence is STALE, and keys of a higher version cannot be had\n"
    "    --required N     what the vendor calls up to date, 1 to 12\n"
    "  swap-cpu           another CPU in the same folder: old sealed keys and counters are gone\n"
    "  expire-collateral  the vendor's signed data ended a month ago; --renew ends that\n"
    "  rewind-disk        save or restore a host's storage folder, as a thief of disks would;\n"
    "                     the machine's counters are hardware and are not in it\n"
    "\n"
    "  --json     print as JSON\n"
    "  --dry-run  check everything, change nothing\n";

/* What all the verbs' options come to. */
struct request {
    struct cella_sim_create_options create;
    struct cella_sim_change change;
    unsigned platform_version;
    unsigned required_version;
    int64_t issued_at;
    const char *save;
    const char *restore;
    bool renew;
    bool root;
    bool chain;
    bool json;
    bool dry_run;
};

static bool read_version(const char *text, unsigned *ret_version) {
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value > UINT16_MAX)
        return false;
    *ret_version = (unsigned)value;
    return true;
}

enum option_code {
    OPTION_OWN_VENDOR = 256,
    OPTION_VENDOR,
    OPTION_VERSION,
    OPTION_ROOT,
    OPTION_CHAIN,
    OPTION_REQUIRED,
    OPTION_RENEW,
    OPTION_SAVE,
    OPTION_RESTORE,
    OPTION_JSON,
    OPTION_DRY_RUN,
    OPTION_HELP
};

/* Which verb may have which options; every verb has the common three. */
#define COMMON                                                                                               \
    {"json", no_argument, NULL, OPTION_JSON}, {"dry-run", no_argument, NULL, OPTION_DRY_RUN},                \
        {"help", no_argument, NULL, OPTION_HELP}, {                                                          \
        NULL, 0, NULL, 0                                                                                     \
    }

static const struct option new_options[] = {{"own-vendor", no_argument, NULL, OPTION_OWN_VENDOR},
                                            {"vendor", required_argument, NULL, OPTION_VENDOR},
                                            {"version", required_argument, NULL, OPTION_VERSION},
                                            COMMON};
static const struct option show_options[] = {
    {"root", no_argument, NULL, OPTION_ROOT}, {"chain", no_argument, NULL, OPTION_CHAIN}, COMMON};
static const struct option set_version_options[] = {{"required", required_argument, NULL, OPTION_REQUIRED},
                                                    COMMON};
static const struct option swap_cpu_options[] = {COMMON};
static const struct option expire_options[] = {{"renew", no_argument, NULL, OPTION_RENEW}, COMMON};
static const struct option rewind_options[] = {{"save", required_argument, NULL, OPTION_SAVE},
                                               {"restore", required_argument, NULL, OPTION_RESTORE},
                                               COMMON};

/* Takes one option; false for one that makes no sense. */
static bool take_option(int option, struct request *request) {
    switch (option) {
    case OPTION_OWN_VENDOR:
        request->create.own_vendor = true;
        return true;
    case OPTION_VENDOR:
        request->create.vendor_folder = optarg;
        return true;
    case OPTION_VERSION:
        return read_version(optarg, &request->create.platform_version);
    case OPTION_REQUIRED:
        request->change.required_version = &request->required_version;
        return read_version(optarg, &request->required_version);
    case OPTION_ROOT:
        request->root = true;
        return true;
    case OPTION_CHAIN:
        request->chain = true;
        return true;
    case OPTION_RENEW:
        request->renew = true;
        return true;
    case OPTION_SAVE:
        request->save = optarg;
        return true;
    case OPTION_RESTORE:
        request->restore = optarg;
        return true;
    case OPTION_JSON:
        request->json = true;
        return true;
    case OPTION_DRY_RUN:
        request->dry_run = true;
        return true;
    default:
        return false;
    }
}

static json_t *describe_json(const char *folder, const struct cella_sim_description *machine) {
    char cpu_id[17], cpu_svn[33], fmspc[13], root_key[129], frozen[CELLA_CALENDAR_TEXT_SIZE];
    cella_hex_encode(machine->cpu_id, sizeof machine->cpu_id, cpu_id);
    cella_hex_encode(machine->cpu_svn, sizeof machine->cpu_svn, cpu_svn);
    cella_hex_encode(machine->fmspc, sizeof machine->fmspc, fmspc);
    cella_hex_encode(machine->root_key, sizeof machine->root_key, root_key);
    cella_calendar_print(machine->collateral_issued_at, frozen);
    return json_pack(
        "{s:s,s:s,s:b,s:s,s:i,s:i,s:s,s:s,s:i,s:s,s:s,s:s,s:s?,s:I}", "folder", folder, "kind", "simulated",
        "insecure", 1, "cpu_id", cpu_id, "platform_version", (int)machine->platform_version,
        "required_version", (int)machine->required_version, "tcb_status",
        machine->platform_version >= machine->required_version ? "UpToDate"
        : machine->platform_version > 0                        ? "OutOfDate"
                                                               : "NotSupported",
        "cpu_svn", cpu_svn, "pce_svn", (int)machine->pce_svn, "fmspc", fmspc, "vendor",
        machine->has_public_vendor ? "public" : "own", "root_key", root_key, "collateral_frozen_at",
        machine->collateral_issued_at != 0 ? frozen : NULL, "counters", (json_int_t)machine->counter_count);
}

static int print_json(json_t *value) {
    if (value == NULL)
        return cli_fail(CELLA_NO_MEMORY, NULL, NULL);
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(value);
    return 0;
}

static void print_text(const char *folder, const struct cella_sim_description *machine) {
    char text[CELLA_CALENDAR_TEXT_SIZE], cpu_id[17], cpu_svn[33];
    cella_hex_encode(machine->cpu_id, sizeof machine->cpu_id, cpu_id);
    cella_hex_encode(machine->cpu_svn, sizeof machine->cpu_svn, cpu_svn);
    printf("INSECURE simulated machine in %s\n", folder);
    printf("  CPU               %s\n", cpu_id);
    printf("  platform version  %u (CPUSVN %s, PCE SVN %u)\n", machine->platform_version, cpu_svn,
           (unsigned)machine->pce_svn);
    printf("  vendor requires   %u: the platform is %s\n", machine->required_version,
           machine->platform_version >= machine->required_version ? "up to date"
           : machine->platform_version > 0                        ? "out of date"
                                                                  : "not supported");
    printf("  vendor            %s\n", machine->has_public_vendor
                                           ? "public: everyone can sign with its keys"
                                           : "own: verifiers need its root (cella sim show --root)");
    if (machine->collateral_issued_at != 0) {
        cella_calendar_print(machine->collateral_issued_at, text);
        printf("  collateral        frozen at %s\n", text);
    }
    printf("  counters          %zu\n", machine->counter_count);
}

static int show(const char *folder, const struct request *request) {
    struct cella_sim_description machine;
    struct cella_error error = {0};
    enum cella_status status = cella_sim_describe(folder, &machine, &error);
    if (status != CELLA_OK)
        return cli_fail(status, &error, NULL);
    if (request->root)
        fputs(machine.root_pem, stdout);
    else if (request->chain)
        fputs(machine.chain_pem, stdout);
    else if (request->json)
        return print_json(describe_json(folder, &machine));
    else
        print_text(folder, &machine);
    return 0;
}

/* After a change: what the machine is now, or that it would have worked. */
static int finish(enum cella_status status, const struct cella_error *error, const char *folder,
                  const struct request *request) {
    if (status != CELLA_OK)
        return cli_fail(status, error, NULL);
    if (!request->dry_run)
        return show(folder, request);
    if (request->json)
        return print_json(json_pack("{s:s,s:b,s:b}", "folder", folder, "insecure", 1, "dry_run", 1));
    cli_say("dry run: %s is unchanged, the command would have worked", folder);
    return 0;
}

static int run_new(int count, char **arguments, struct request *request) {
    struct cella_error error = {0};
    request->create.folder = arguments[0];
    request->create.dry_run = request->dry_run;
    return finish(cella_sim_create(&request->create, &error), &error, arguments[0], request);
}

static int run_show(int count, char **arguments, struct request *request) {
    return show(arguments[0], request);
}

static int run_change(const char *folder, struct request *request) {
    struct cella_error error = {0};
    request->change.dry_run = request->dry_run;
    return finish(cella_sim_change(folder, &request->change, &error), &error, folder, request);
}

static int run_set_version(int count, char **arguments, struct request *request) {
    if (count == 1 && request->change.required_version == NULL)
        return cli_usage(usage, "set-version needs a platform version or --required");
    if (count == 2 && !read_version(arguments[1], &request->platform_version))
        return cli_usage(usage, "\"%s\" is not a platform version", arguments[1]);
    if (count == 2)
        request->change.platform_version = &request->platform_version;
    return run_change(arguments[0], request);
}

static int run_swap_cpu(int count, char **arguments, struct request *request) {
    request->change.new_cpu = true;
    return run_change(arguments[0], request);
}

static int run_expire(int count, char **arguments, struct request *request) {
    /* Issued two months ago, ended one month ago. */
    if (!request->renew)
        request->issued_at = (int64_t)time(NULL) - 2 * CELLA_SIM_COLLATERAL_LIFE;
    request->change.collateral_issued_at = &request->issued_at;
    return run_change(arguments[0], request);
}

static int run_rewind(int count, char **arguments, struct request *request) {
    struct cella_error error = {0};
    const char *storage = arguments[0];
    if ((request->save == NULL) == (request->restore == NULL))
        return cli_usage(usage, "rewind-disk needs either --save or --restore");
    bool saves = request->save != NULL;
    const char *copy = saves ? request->save : request->restore;
    enum cella_status status = cella_sim_tree_check(storage, &error);
    if (status == CELLA_OK && !saves)
        status = cella_sim_tree_check(copy, &error);
    if (status == CELLA_OK && !request->dry_run)
        status = saves ? cella_sim_tree_copy(storage, copy, &error)
                       : cella_sim_tree_restore(copy, storage, &error);
    if (status != CELLA_OK)
        return cli_fail(status, &error, NULL);
    if (request->json)
        return print_json(json_pack("{s:s,s:s,s:s,s:b,s:b}", "storage", storage, "copy", copy, "done",
                                    saves ? "saved" : "restored", "insecure", 1, "dry_run",
                                    (int)request->dry_run));
    cli_say("%sINSECURE simulation: %s %s %s", request->dry_run ? "dry run: " : "", storage,
            saves ? "saved as" : "rewound to", copy);
    return 0;
}

static const struct subverb {
    const char *name;
    const struct option *options;
    int arguments_min, arguments_max;
    int (*run)(int count, char **arguments, struct request *request);
} subverbs[] = {
    {"new", new_options, 1, 1, run_new},
    {"show", show_options, 1, 1, run_show},
    {"set-version", set_version_options, 1, 2, run_set_version},
    {"swap-cpu", swap_cpu_options, 1, 1, run_swap_cpu},
    {"expire-collateral", expire_options, 1, 1, run_expire},
    {"rewind-disk", rewind_options, 1, 1, run_rewind},
};

static int run_subverb(const struct subverb *subverb, int argc, char **argv) {
    struct request request = {.create = {.platform_version = CELLA_SIM_VERSION_NEW}};
    int option;
    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", subverb->options, NULL)) != -1) {
        if (option == OPTION_HELP) {
            fputs(usage, stdout);
            return 0;
        }
        if (option == '?' || option == ':')
            return cli_usage_option(usage, argv);
        if (!take_option(option, &request))
            return cli_usage(usage, "\"%s\" is not a platform version", optarg);
    }
    int count = argc - optind;
    if (count < subverb->arguments_min || count > subverb->arguments_max)
        return cli_usage(usage, "cella sim %s has %d arguments, expected %d", subverb->name, count,
                         subverb->arguments_max);
    return subverb->run(count, argv + optind, &request);
}

int cli_verb_sim(int argc, char **argv) {
    if (argc < 2)
        return cli_usage(usage, "cella sim needs a word such as new or show");
    if (strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    for (size_t i = 0; i < sizeof subverbs / sizeof subverbs[0]; i++)
        if (strcmp(argv[1], subverbs[i].name) == 0)
            return run_subverb(&subverbs[i], argc - 1, argv + 1);
    return cli_usage(usage, "there is no \"cella sim %s\"", argv[1]);
}
