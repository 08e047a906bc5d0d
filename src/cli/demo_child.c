/* The `cella` command as other processes. */
#include "cli/demo_child.h"
#include "base/error.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 32, OUTPUT_LIMIT = 1 << 20, EXIT_NO_EXEC = 127 };

/* In the child, which shares nothing but memory that other threads may have been changing: only calls that
 * are safe there. */
static void become(const char *const *arguments, int log, pid_t parent) {
    char *list[ARGUMENTS_MAX + 2] = {(char[]){"cella"}};
    sigset_t none;
    for (size_t i = 0; i < ARGUMENTS_MAX && arguments[i] != NULL; i++)
        list[i + 1] = (char *)(uintptr_t)arguments[i];
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || dup2(log, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0)
        _exit(EXIT_NO_EXEC);
    (void)setpgid(0, 0); /* signals of the terminal are for the demo */
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execv("/proc/self/exe", list);
    _exit(EXIT_NO_EXEC);
}

enum cella_status demo_child_start(const char *const *arguments, const char *log_path, pid_t *ret_process,
                                   struct cella_error *error) {
    int log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (log < 0)
        return cella_fail(error, CELLA_IO, "%s cannot be made: %s", log_path, strerror(errno));
    pid_t parent = getpid(), process = fork();
    if (process == 0)
        become(arguments, log, parent);
    (void)close(log);
    if (process < 0)
        return cella_fail(error, CELLA_IO, "a process cannot be made: %s", strerror(errno));
    *ret_process = process;
    return CELLA_OK;
}

bool demo_child_runs(pid_t process) {
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)process, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

int demo_child_end(pid_t process, int signal_number) {
    int status = 0;
    if (signal_number != 0)
        (void)kill(process, signal_number);
    while (waitpid(process, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

enum cella_status demo_child_run(const char *const *arguments, const char *log_path, char **ret_output,
                                 struct cella_error *error) {
    pid_t process;
    uint8_t *output = NULL;
    size_t size = 0;
    enum cella_status status = demo_child_start(arguments, log_path, &process, error);
    if (status != CELLA_OK)
        return status;
    int code = demo_child_end(process, 0);
    status = cella_file_read(log_path, OUTPUT_LIMIT, &output, &size, error);
    if (status == CELLA_OK && code != 0)
        status = cella_fail(error, CELLA_FAILED, "cella %s ended with %d: %.200s", arguments[0], code,
                            (const char *)output);
    if (status != CELLA_OK) {
        free(output);
        return status;
    }
    *ret_output = (char *)output;
    return CELLA_OK;
}
