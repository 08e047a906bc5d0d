/* Making and changing simulated machines. Must not leave a folder that is half a machine. */
#include "machine/sim/manage.h"
#include "base/error.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "machine/sim/collateral.h"
#include "machine/sim/counter_file.h"
#include "machine/sim/sim.h"
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES_MAX 65536

_Static_assert(CELLA_SIM_VERSION_NEW == CELLA_SIM_VERSION_DEFAULT, "one default version");

static enum cella_status check_version(unsigned version, unsigned least, struct cella_error *error) {
    if (version < least || version > CELLA_SIM_VERSION_MAX)
        return cella_fail(error, CELLA_ARGUMENT, "the version %u is not between %u and %d", version, least,
                          CELLA_SIM_VERSION_MAX);
    return CELLA_OK;
}

/* An interrupted creation leaves an empty folder or a file without counters: those may be used again. */
static enum cella_status check_empty(const char *folder, struct cella_error *error) {
    DIR *stream = opendir(folder);
    enum cella_status status = CELLA_OK;
    if (stream == NULL && errno == ENOENT)
        return CELLA_OK;
    if (stream == NULL)
        return cella_fail(error, CELLA_EXISTS, "%s is there already and cannot be read as a folder: %s",
                          folder, strerror(errno));
    for (size_t i = 0; status == CELLA_OK && i < ENTRIES_MAX; i++) {
        const struct dirent *entry = readdir(stream);
        if (entry == NULL)
            break;
        const char *name = entry->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, "counters") != 0 &&
            strcmp(name, "counters.new") != 0)
            status = cella_fail(error, CELLA_EXISTS, "%s is not empty: it has %.64s", folder, name);
    }
    closedir(stream);
    return status;
}

static enum cella_status make_folder(const char *path, struct cella_error *error) {
    if (mkdir(path, 0700) == 0)
        return CELLA_OK;
    if (errno != EEXIST)
        return cella_fail(error, errno == EACCES ? CELLA_PERMISSION : CELLA_IO, "cannot create %s: %s", path,
                          strerror(errno));
    if (chmod(path, 0700) != 0)
        return cella_fail(error, CELLA_PERMISSION, "cannot make %s private: %s", path, strerror(errno));
    return CELLA_OK;
}

/* Chooses the vendor and issues all certificates. */
static enum cella_status make_state(const struct cella_sim_create_options *options,
                                    struct cella_sim_state *state, struct cella_error *error) {
    struct cella_sim_state vendor = {0};
    enum cella_status status = CELLA_OK;
    state->platform_version = (uint8_t)options->platform_version;
    state->required_version = CELLA_SIM_VERSION_DEFAULT;
    if (options->vendor_folder != NULL) {
        status = cella_sim_state_read(options->vendor_folder, &vendor, error);
        memcpy(state->vendor_seed, vendor.vendor_seed, sizeof state->vendor_seed);
        state->required_version = vendor.required_version;
    } else if (options->own_vendor) {
        status = cella_random(state->vendor_seed, sizeof state->vendor_seed);
    } else {
        cella_sim_vendor_public_seed(state->vendor_seed);
    }
    if (status == CELLA_OK)
        status = cella_random(state->fuse_secret, sizeof state->fuse_secret);
    if (status == CELLA_OK)
        status = cella_sim_state_issue(state, options->vendor_folder != NULL ? &vendor : NULL);
    cella_sim_state_deinit(&vendor);
    return status;
}

enum cella_status cella_sim_create(const struct cella_sim_create_options *options,
                                   struct cella_error *error) {
    struct cella_sim_state state = {0};
    enum cella_status status = check_version(options->platform_version, 0, error);
    if (status == CELLA_OK && options->own_vendor && options->vendor_folder != NULL)
        status = cella_fail(error, CELLA_ARGUMENT, "an own vendor and another machine's exclude each other");
    if (status == CELLA_OK)
        status = check_empty(options->folder, error);
    if (status == CELLA_OK)
        status = make_state(options, &state, error);
    if (status == CELLA_OK && !options->dry_run) {
        status = make_folder(options->folder, error);
        if (status == CELLA_OK)
            status = cella_sim_counters_renew(options->folder, error);
        /* Last, and only if there is none: this file makes the folder a machine. */
        if (status == CELLA_OK)
            status = cella_sim_state_write(options->folder, &state, true, error);
    }
    cella_sim_state_deinit(&state);
    return status;
}

static enum cella_status check_change(const struct cella_sim_change *change, struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    if (change->platform_version != NULL)
        status = check_version(*change->platform_version, 0, error);
    if (status == CELLA_OK && change->required_version != NULL)
        status = check_version(*change->required_version, 1, error);
    return status;
}

static enum cella_status apply(const struct cella_sim_change *change, struct cella_sim_state *state,
                               struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    if (change->platform_version != NULL)
        state->platform_version = (uint8_t)*change->platform_version;
    if (change->required_version != NULL)
        state->required_version = (uint8_t)*change->required_version;
    if (change->collateral_issued_at != NULL)
        state->frozen_issue_date = *change->collateral_issued_at;
    if (change->new_cpu)
        status = cella_random(state->fuse_secret, sizeof state->fuse_secret);
    if (status == CELLA_OK && state->frozen_issue_date != 0) {
        struct cella_machine_collateral *trial = NULL;
        status = cella_sim_collateral_issue(state, state->frozen_issue_date, &trial, error);
        cella_machine_collateral_free(trial);
    }
    return status;
}

enum cella_status cella_sim_change(const char *folder, const struct cella_sim_change *change,
                                   struct cella_error *error) {
    struct cella_sim_state old = {0}, state;
    int lock = -1;
    enum cella_status status = check_change(change, error);
    if (status == CELLA_OK)
        status = cella_sim_state_read(folder, &old, error); /* says better than the lock what is wrong */
    if (status != CELLA_OK)
        return status;
    cella_sim_state_deinit(&old);
    status = cella_sim_lock(folder, &lock, error);
    if (status != CELLA_OK)
        return status;
    status = cella_sim_state_read(folder, &old, error);
    state = old;
    state.memory = NULL;
    state.memory_size = 0;
    if (status == CELLA_OK)
        status = apply(change, &state, error);
    if (status == CELLA_OK && (change->platform_version != NULL || change->new_cpu))
        status = cella_sim_state_issue(&state, &old);
    if (status == CELLA_OK && !change->dry_run) {
        status = cella_sim_state_write(folder, &state, false, error);
        /* Nothing can find the counters of a CPU that is no longer here: they are only in the way. */
        if (status == CELLA_OK && change->new_cpu)
            status = cella_sim_counters_renew(folder, error);
    }
    cella_sim_state_deinit(&state);
    cella_sim_state_deinit(&old);
    close(lock);
    return status;
}

/* A damaged file has none; whoever uses them is told. */
static size_t count_counters(const char *folder) {
    struct cella_sim_counters counters = {.fd = -1};
    struct cella_sim_find find = {0};
    struct cella_sim_slot unused;
    if (cella_sim_counters_lock(folder, &counters, NULL) != CELLA_OK)
        return 0;
    if (cella_sim_counters_find(&counters, NULL, NULL, &find, &unused, NULL) != CELLA_OK)
        find.used = 0;
    cella_sim_counters_unlock(&counters);
    return find.used;
}

static enum cella_status print_certificates(const struct cella_sim_state *state,
                                            struct cella_sim_description *description) {
    struct cella_writer root, chain;
    cella_writer_init(&root, (uint8_t *)description->root_pem, sizeof description->root_pem - 1);
    cella_writer_init(&chain, (uint8_t *)description->chain_pem, sizeof description->chain_pem - 1);
    enum cella_status status = cella_x509_certificate_pem(state->root, &root);
    if (status == CELLA_OK)
        status = cella_x509_certificate_pem(state->pck, &chain);
    if (status == CELLA_OK)
        status = cella_x509_certificate_pem(state->ca, &chain);
    if (status == CELLA_OK)
        status = cella_x509_certificate_pem(state->root, &chain);
    return status;
}

static enum cella_status describe(const struct cella_sim_state *state,
                                  struct cella_sim_description *description) {
    struct cella_ecdsa_key *root = NULL;
    description->platform_version = state->platform_version;
    description->required_version = state->required_version;
    description->has_public_vendor = cella_sim_state_has_public_vendor(state);
    description->collateral_issued_at = state->frozen_issue_date;
    description->pce_svn = cella_sim_pce_svn(state->platform_version);
    cella_sim_component_svns(state->platform_version, description->cpu_svn);
    memcpy(description->fmspc, cella_sim_fmspc, sizeof description->fmspc);
    enum cella_status status = print_certificates(state, description);
    if (status == CELLA_OK)
        status = cella_sim_derive(state->fuse_secret, "cpu id", CELLA_BYTES(NULL, 0), description->cpu_id,
                                  sizeof description->cpu_id);
    if (status == CELLA_OK)
        status = cella_sim_vendor_key(state->vendor_seed, CELLA_SIM_KEY_ROOT, &root);
    if (status == CELLA_OK)
        memcpy(description->root_key, cella_ecdsa_key_public(root), sizeof description->root_key);
    cella_ecdsa_key_free(root);
    return status;
}

enum cella_status cella_sim_describe(const char *folder, struct cella_sim_description *ret_description,
                                     struct cella_error *error) {
    struct cella_sim_state state = {0};
    struct cella_sim_description description = {0};
    enum cella_status status = cella_sim_state_read(folder, &state, error);
    if (status != CELLA_OK)
        return status;
    status = describe(&state, &description);
    cella_sim_state_deinit(&state);
    if (status != CELLA_OK)
        return cella_fail(error, status, "the machine in %s cannot be described", folder);
    description.counter_count = count_counters(folder);
    *ret_description = description;
    return CELLA_OK;
}
