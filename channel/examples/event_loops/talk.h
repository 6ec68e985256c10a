/* What the programs here have in common: who the other side is, and what is done when a loop says that
 * something may be there.
 *
 * The contract with a loop is in take_answers() and take_news(): receive with LEAT_NOW until LEAT_EMPTY, then
 * arm. After 0 the loop watches the descriptor; it is the same every time, nothing is read from it, and each
 * time that it is readable everything begins anew. LEAT_MORE says that something came meanwhile. */
#ifndef TALK_H
#define TALK_H

#include <leat/leat.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { QUESTIONS = 3000, AT_A_TIME = 16, PER_WARNING = 100 };

LEAT_MESSAGE(question, (u32, number));
LEAT_MESSAGE(answer, (u32, number));
LEAT_MESSAGE(report, (u32, answered));
LEAT_MESSAGE(warning, (string, text));

enum { REPORTS, WARNINGS, NEWS }; /* Keys in the set. */

struct talk {
        question_sender questions;
        answer_receiver answers; /* A receiver, armed by itself. */
        leat_set news;           /* A set of two, armed as one. */
        report_receiver reports;
        warning_receiver warnings;
        int open_news;
        pid_t other_side;
        uint32_t asked, answered, reported, warned;
};

/* ---- the other side: a child that answers, and has something to tell now and then ---- */

static inline int answer_all(question_receiver questions, answer_sender answers, report_sender reports,
                             warning_sender warnings)
{
        question next;
        int r;

        while ((r = question_recv(questions, &next, LEAT_FOREVER)) == 0) {
                r = answer_send(answers, &(answer){ next.number }, LEAT_FOREVER);
                if (r == 0)
                        r = report_send(reports, &(report){ next.number + 1 }, LEAT_FOREVER);
                if (r == 0 && next.number % PER_WARNING == 0)
                        r = warning_send(warnings, &(warning){ "that was a round one" }, LEAT_FOREVER);
                if (r != 0)
                        return 1;
        }
        return r == LEAT_DISCONNECTED ? 0 : 1; /* Nobody asks any more. */
}

static inline int ask_next(struct talk *talk)
{
        return question_send(talk->questions, &(question){ talk->asked++ }, LEAT_NOW);
}

static inline int start_other_side(struct talk *talk)
{
        question_receiver questions = { 0 };
        answer_sender answers = { 0 };
        report_sender reports = { 0 };
        warning_sender warnings = { 0 };
        int r = question_channel(&talk->questions, &questions);

        if (r == 0)
                r = answer_channel(&answers, &talk->answers);
        if (r == 0)
                r = report_channel(&reports, &talk->reports);
        if (r == 0)
                r = warning_channel(&warnings, &talk->warnings);
        if (r == 0)
                talk->other_side = fork();
        if (r == 0 && talk->other_side == 0) {
                question_sender_close(&talk->questions); /* Or it would wait for itself. */
                answer_receiver_close(&talk->answers);
                report_receiver_close(&talk->reports);
                warning_receiver_close(&talk->warnings);
                _exit(answer_all(questions, answers, reports, warnings));
        }
        question_receiver_close(&questions);
        answer_sender_close(&answers);
        report_sender_close(&reports);
        warning_sender_close(&warnings);
        return r == 0 && talk->other_side < 0 ? -1 : r;
}

static inline int start_talk(struct talk *talk)
{
        int r = start_other_side(talk);

        if (r == 0)
                r = leat_set_create(&talk->news);
        if (r == 0)
                r = report_set_add(talk->news, talk->reports, REPORTS);
        if (r == 0)
                r = warning_set_add(talk->news, talk->warnings, WARNINGS);
        talk->open_news = NEWS;
        while (r == 0 && talk->asked < AT_A_TIME)
                r = ask_next(talk);
        return r;
}

/* ---- what a loop calls ---- */

/* 0: watch *ret_fd. LEAT_DISCONNECTED: it is over, watch it no longer. */
static inline int take_answers(struct talk *talk, int *ret_fd)
{
        answer got;
        int r;

        do {
                while ((r = answer_recv(talk->answers, &got, LEAT_NOW)) == 0) {
                        if (got.number != talk->answered)
                                return LEAT_MALFORMED;
                        talk->answered++;
                        if (talk->asked < QUESTIONS)
                                r = ask_next(talk);
                        else if (talk->answered == QUESTIONS)
                                question_sender_close(&talk->questions); /* The other side ends by that. */
                        if (r != 0)
                                return r;
                }
                if (r == LEAT_EMPTY)
                        r = answer_arm(talk->answers, ret_fd);
        } while (r == LEAT_MORE);
        return r;
}

static inline int take_one_of_the_news(struct talk *talk, uint64_t key)
{
        report how_far;
        warning what;
        int r;

        if (key == REPORTS) {
                r = report_recv(talk->reports, &how_far, LEAT_NOW);
                talk->reported += r == 0;
        } else {
                r = warning_recv(talk->warnings, &what, LEAT_NOW);
                talk->warned += r == 0;
        }
        if (r == LEAT_DISCONNECTED && --talk->open_news > 0) /* It has left the set by itself. */
                return 0;
        return r == LEAT_EMPTY ? 0 : r; /* To be ready was a hint. */
}

static inline int take_news(struct talk *talk, int *ret_fd)
{
        uint64_t key;
        int r;

        do {
                while ((r = leat_set_wait(talk->news, &key, LEAT_NOW)) == 0) {
                        r = take_one_of_the_news(talk, key);
                        if (r != 0)
                                return r;
                }
                if (r == LEAT_EMPTY)
                        r = leat_set_arm(talk->news, ret_fd);
        } while (r == LEAT_MORE);
        return r;
}

static int (*const take[])(struct talk *talk, int *ret_fd) = { take_answers, take_news };

enum { SOURCES = sizeof(take) / sizeof(take[0]) };

/* ---- the end ---- */

/* Returns what the program does. */
static inline int end_talk(struct talk *talk, const char *loop, int r)
{
        int status = 0;

        question_sender_close(&talk->questions);
        answer_receiver_close(&talk->answers);
        leat_set_close(&talk->news);
        report_receiver_close(&talk->reports);
        warning_receiver_close(&talk->warnings);
        if (talk->other_side > 0 && waitpid(talk->other_side, &status, 0) < 0)
                status = 1;
        printf("%s: %u answers, %u reports, %u warnings: %s\n", loop, talk->answered, talk->reported, talk->warned,
               leat_strerror(r));
        return r == 0 && status == 0 ? 0 : 1;
}

#endif
