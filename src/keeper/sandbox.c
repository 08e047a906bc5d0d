/* What the instance process may still do: nothing but sleep, wake, return from signals and end. Must leave no
 * way back: every step here only takes away. */
#include "base/error.h"
#include "keeper/keeper.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Bounds of the keeper's own code: it is a static program at a fixed address. */
extern const char __executable_start[];
extern const char etext[];

enum { NOBODY = 65534 };

pid_t keeper_clone(bool *ret_namespaces) {
    /* The other namespaces take longer to make; the instance process makes them itself, while the monitor
     * measures. */
    long child = syscall(SYS_clone, (long)(CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD), 0L, 0L, 0L, 0L);
    *ret_namespaces = child >= 0;
    /* Kernels may refuse unprivileged namespaces; the filter holds all the same. */
    if (child < 0)
        child = syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
    return (pid_t)child;
}

static bool write_text(pid_t child, const char *file, const char *text) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)child, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t size = strlen(text);
    bool good = write(fd, text, size) == (ssize_t)size;
    close(fd);
    return good;
}

/* User 0 of the new namespace becomes "nobody" outside when we may give that away, and ourselves when not. */
bool keeper_map_user(pid_t child) {
    char map[64];
    bool own_user = geteuid() == 0;
    (void)snprintf(map, sizeof map, "0 %u 1\n", own_user ? (unsigned)NOBODY : (unsigned)geteuid());
    if (!write_text(child, "uid_map", map))
        return false;
    if (write_text(child, "setgroups", "deny")) {
        (void)snprintf(map, sizeof map, "0 %u 1\n", own_user ? (unsigned)NOBODY : (unsigned)getegid());
        (void)write_text(child, "gid_map", map);
    }
    return own_user;
}

static bool empty_root(void) {
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY,
                 "size=4k,nr_inodes=1") == 0 &&
           chdir("/tmp") == 0 && syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 &&
           chdir("/") == 0;
}

static bool drop_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
        (void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    return syscall(SYS_capset, &header, none) == 0;
}

static bool set_limits(void) {
    static const int none[] = {RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_MSGQUEUE, RLIMIT_MEMLOCK};
    struct rlimit zero = {.rlim_cur = 0, .rlim_max = 0};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        if (setrlimit((__rlimit_resource_t)none[i], &zero) != 0)
            return false;
    return true;
}

enum cella_status keeper_sandbox_early(struct keeper_shared *shared, bool namespaces, bool own_user,
                                       int monitor_fd, struct cella_error *error) {
    uint32_t granted = 0;
    if (namespaces) {
        if (syscall(SYS_setresgid, 0, 0, 0) == 0 && syscall(SYS_setresuid, 0, 0, 0) == 0 && own_user)
            granted |= CELLA_SANDBOX_OWN_USER;
        if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) == 0)
            granted |= CELLA_SANDBOX_NAMESPACES;
        /* Never in the namespace that others share. */
        if ((granted & CELLA_SANDBOX_NAMESPACES) != 0 && empty_root())
            granted |= CELLA_SANDBOX_EMPTY_ROOT;
    }
    /* Without a user namespace root itself must become nobody, or it would run the image. */
    if (geteuid() == 0 && !namespaces) {
        if (syscall(SYS_setgroups, 0, NULL) != 0 || syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) != 0 ||
            syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) != 0)
            return cella_fail(error, CELLA_KEEPER, "cannot become another user: %s", strerror(errno));
        granted |= CELLA_SANDBOX_OWN_USER;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return cella_fail(error, CELLA_KEEPER, "cannot give up privileges: %s", strerror(errno));
    /* A monitor that ended before the line above ran will send no signal. */
    struct pollfd monitor = {.fd = monitor_fd, .events = POLLIN};
    if (poll(&monitor, 1, 0) != 0)
        return cella_fail(error, CELLA_KEEPER, "the monitor is gone");
    /* Without namespaces and without root there are no capabilities to drop, and dropping none succeeds. */
    if (!drop_capabilities())
        return cella_fail(error, CELLA_KEEPER, "cannot drop capabilities: %s", strerror(errno));
    if (clearenv() != 0)
        return cella_fail(error, CELLA_KEEPER, "cannot clear the environment");
    shared->sandbox = granted;
    return CELLA_OK;
}

#define LOAD(field)                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(field))
#define JUMP(test, value, yes, no) BPF_JUMP(BPF_JMP | (test) | BPF_K, (uint32_t)(value), (yes), (no))
#define RETURN(action)             BPF_STMT(BPF_RET | BPF_K, (action))

static bool install_filter(void) {
    uint64_t start = (uint64_t)(uintptr_t)__executable_start;
    uint64_t end = (uint64_t)(uintptr_t)etext;
    /* Both bounds below 4 GiB is what "not position independent" gives; the filter compares words. */
    if (end > UINT32_MAX)
        return false;
    struct sock_filter filter[] = {
        LOAD(offsetof(struct seccomp_data, arch)),
        JUMP(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        /* From where: everything outside the keeper's own code is the image's and is trapped. */
        LOAD(offsetof(struct seccomp_data, instruction_pointer) + 4),
        JUMP(BPF_JEQ, 0, 0, 3),
        LOAD(offsetof(struct seccomp_data, instruction_pointer)),
        JUMP(BPF_JGE, start, 0, 1),
        JUMP(BPF_JGT, end, 0, 1),
        RETURN(SECCOMP_RET_TRAP),
        /* The keeper itself. */
        LOAD(offsetof(struct seccomp_data, nr)),
        JUMP(BPF_JEQ, SYS_rt_sigreturn, 6, 0),
        JUMP(BPF_JEQ, SYS_restart_syscall, 5, 0),
        JUMP(BPF_JEQ, SYS_exit_group, 4, 0),
        JUMP(BPF_JEQ, SYS_futex, 0, 2),
        /* Of the futex operations only sleeping and waking: others could move the host's sleepers where it
         * never finds them. The image could jump to our system call instruction, so this holds for it as
         * well. */
        LOAD(offsetof(struct seccomp_data, args) + 8),
        JUMP(BPF_JGT, FUTEX_WAKE, 0, 1),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        RETURN(SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    /* The filter must hold for the threads that exist already. */
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

enum cella_status keeper_sandbox_seal(struct cella_error *error) {
    if (syscall(SYS_close_range, 0U, ~0U, 0U) != 0)
        return cella_fail(error, CELLA_KEEPER, "cannot close all files: %s", strerror(errno));
    if (!set_limits())
        return cella_fail(error, CELLA_KEEPER, "cannot set resource limits: %s", strerror(errno));
    if (!install_filter())
        return cella_fail(error, CELLA_KEEPER, "cannot install the system call filter: %s", strerror(errno));
    return CELLA_OK;
}
