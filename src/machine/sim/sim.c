/* Opening and closing a simulated machine. Must not parse certificates or derive keys: a start is instant. */
#include "machine/sim/sim.h"
#include "base/error.h"
#include "base/secret.h"
#include "crypto/random.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static void sim_free(struct cella_machine *machine) {
    struct cella_sim *sim = (struct cella_sim *)machine;
    cella_sim_quoting_free(sim->quoting);
    cella_sim_state_deinit(&sim->state);
    pthread_mutex_destroy(&sim->mutex);
    free(sim->folder);
    cella_wipe_free(sim, sizeof *sim);
}

static void sim_cpu_svn(struct cella_machine *machine, uint8_t *ret_cpu_svn) {
    memcpy(ret_cpu_svn, ((struct cella_sim *)machine)->cpu_svn, CELLA_CPU_SVN_SIZE);
}

static enum cella_status sim_target_info(struct cella_machine *machine, uint8_t *ret_target_info,
                                         struct cella_error *error) {
    struct cella_machine_identity qe;
    cella_sim_qe_identity(&qe);
    cella_sim_target_info(&qe, ret_target_info);
    return CELLA_OK;
}

static const struct cella_machine_operations operations = {
    .kind = "simulated",
    .is_insecure = true,
    .free = sim_free,
    .launch = cella_sim_launch,
    .report = cella_sim_report,
    .key = cella_sim_key,
    .cpu_svn = sim_cpu_svn,
    .counter_create = cella_sim_counter_create,
    .counter_read = cella_sim_counter_read,
    .counter_increment = cella_sim_counter_increment,
    .target_info = sim_target_info,
    .quote = cella_sim_quote,
    .collateral = cella_sim_collateral,
};

enum cella_status cella_sim_open(const char *folder, struct cella_machine **ret_machine,
                                 struct cella_error *error) {
    struct cella_sim *sim = calloc(1, sizeof *sim);
    if (sim == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for a machine");
    sim->base.operations = &operations;
    CELLA_ASSERT(pthread_mutex_init(&sim->mutex, NULL) == 0);
    enum cella_status status = cella_sim_state_read(folder, &sim->state, error);
    if (status == CELLA_OK) {
        /* Absolute, so that a later chdir of the process does not lose the machine. */
        sim->folder = realpath(folder, NULL);
        if (sim->folder == NULL)
            status = cella_fail(error, CELLA_IO, "cannot resolve %s: %s", folder, strerror(errno));
    }
    /* CR_REPORT_KEYID: fresh at each boot. */
    if (status == CELLA_OK)
        status = cella_random(sim->report_key_id, sizeof sim->report_key_id);
    if (status != CELLA_OK) {
        sim_free(&sim->base);
        return status;
    }
    cella_sim_component_svns(sim->state.platform_version, sim->cpu_svn);
    *ret_machine = &sim->base;
    return CELLA_OK;
}

enum cella_status cella_sim_stamp(const char *folder, struct cella_sim_stamp *ret_stamp,
                                  struct cella_error *error) {
    char path[PATH_MAX];
    struct stat info;
    enum cella_status status = cella_sim_path(folder, "machine", path, error);
    if (status != CELLA_OK)
        return status;
    if (stat(path, &info) != 0)
        return cella_fail(error, CELLA_NOT_A_MACHINE, "%s holds no machine any more: %s", folder,
                          strerror(errno));
    *ret_stamp = (struct cella_sim_stamp){
        .device = info.st_dev, .inode = info.st_ino, .size = info.st_size, .changed = info.st_ctim};
    return CELLA_OK;
}

bool cella_sim_stamp_equal(const struct cella_sim_stamp *left, const struct cella_sim_stamp *right) {
    return left->device == right->device && left->inode == right->inode && left->size == right->size &&
           left->changed.tv_sec == right->changed.tv_sec && left->changed.tv_nsec == right->changed.tv_nsec;
}

enum cella_status cella_sim_lock(const char *folder, int *ret_fd, struct cella_error *error) {
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return cella_fail(error, errno == ENOENT ? CELLA_NOT_FOUND : CELLA_IO, "cannot open %s: %s", folder,
                          strerror(errno));
    int code;
    do
        code = flock(fd, LOCK_EX);
    while (code != 0 && errno == EINTR);
    if (code != 0) {
        enum cella_status status = cella_fail(error, CELLA_IO, "cannot lock %s: %s", folder, strerror(errno));
        close(fd);
        return status;
    }
    *ret_fd = fd;
    return CELLA_OK;
}
