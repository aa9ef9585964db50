/* Reading a mapped file that somebody truncates raises SIGBUS in the reading thread: a guarded call ends early then,
 * instead of the process. */
#ifndef CORPUS_GUARD_H
#define CORPUS_GUARD_H
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

static __thread sigjmp_buf *guard_exit;
static struct sigaction guard_previous;

static void guard_on_bus(int number) {
    if (guard_exit) siglongjmp(*guard_exit, number);
    /* Not ours: the faulting instruction runs again under the previous handler. */
    sigaction(SIGBUS, &guard_previous, NULL);
}

static int guard_install(void) {
    struct sigaction current, ours = {0};
    ours.sa_handler = guard_on_bus;
    sigemptyset(&ours.sa_mask);
    if (sigaction(SIGBUS, NULL, &current)) return -1;
    if (current.sa_handler == guard_on_bus) return 0;
    guard_previous = current;
    return sigaction(SIGBUS, &ours, NULL);
}

/* Runs a statement; evaluates to 0, or 1 when it was cut short. */
#define GUARDED(statement)              \
    ({                                  \
        sigjmp_buf guard_here;          \
        int guard_cut = 0;              \
        if (sigsetjmp(guard_here, 1)) { \
            guard_cut = 1;              \
        } else {                        \
            guard_exit = &guard_here;   \
            statement;                  \
        }                               \
        guard_exit = NULL;              \
        guard_cut;                      \
    })
#endif
