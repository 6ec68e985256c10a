/* A child process: started so that it cannot outlive the kernel, watched by a pidfd, reaped once. */
#ifndef LEAT_KERNEL_PROCESS_H
#define LEAT_KERNEL_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* All zero, with descriptor -1, is "none": PROCESS_NONE. */
struct process {
        pid_t pid; /* 0: none. */
        int descriptor;
        int output; /* What it prints, to be read without waiting. */
        int errors;
};

#define PROCESS_NONE ((struct process){ .descriptor = -1, .output = -1, .errors = -1 })

/* Starts words[0] with the words as its arguments. The child leads a process group of its own, reads
 * /dev/null, has no descriptor but 0, 1 and 2, default signals, and dies with this thread. `variable`
 * ("NAME=value", may be NULL) is replaces what the environment has under that name. Returns 0; -EMFILE,
 * -ENOMEM, -EAGAIN; or what chdir(2) and execve(2) said in the child. */
int process_start(char *const *words, const char *working_directory, const char *variable,
                  struct process *ret_process);

/* Raises this process's limit of open descriptors as far as it may. Its children start with what it was
 * before. */
void process_raise_descriptors(void);

/* Sends a signal to the process alone; none when it is gone. */
void process_signal(const struct process *process, int signal);

/* SIGKILL for the process and everything in its group. */
void process_kill(const struct process *process);

/* How it ended. */
struct process_end {
        int code;   /* Exit code, when signal is 0. */
        int signal;
};

/* If it has ended: kills what is left of its group, reaps it, closes the pidfd and zeroes pid; the outputs
 * stay open. Returns whether it had ended. */
bool process_reap(struct process *process, struct process_end *ret_end);

/* Closes the outputs, and, when the process still runs, kills it and waits for it. */
void process_close(struct process *process);

#endif
