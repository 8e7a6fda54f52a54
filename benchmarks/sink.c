/* A mail API on loopback that takes everything and costs nearly nothing, so that a benchmark measures its caller.

   The path says what it does: /LATENCY/IDS/... waits so many milliseconds after the whole request, keeping nobody
   else waiting, and answers with that many ids as Resend does, or with IDS 0 as Mailgun does. Bodies are dropped
   in the kernel (MSG_TRUNC, tcp(7)). /LATENCY/IDS/LIMIT/... answers 429 to more than LIMIT calls within a second.
   It prints its port, and ends when its standard input does. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 16384, CALLS = 1024, IDS = 1000, ANSWER = 64 * IDS + 1024, PIECE = 1 << 20 };

struct call {
    int open, size, ids, limit;
    long left;      /* bytes of the body still to come */
    long long due;  /* when to answer, in ms; 0 while the request is not complete */
    long latency;
    char head[HEAD];
};

static struct call *calls[CALLS];
static char piece[PIECE], answer[ANSWER];
static long long came[CALLS]; /* when the latest calls came, those with a limit */
static unsigned long counted;
static unsigned long made;

static long long now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000LL + at.tv_nsec / 1000000;
}

static void end(int fd) {
    calls[fd]->open = 0;
    close(fd);
}

/* Whether a call comes within a second of the one so many before it; it counts either way. */
static int too_fast(int limit) {
    long long at = now();
    int many = limit && counted >= (unsigned)limit && came[(counted - limit) % CALLS] > at - 1000;
    if (limit) came[counted++ % CALLS] = at;
    return many;
}

static void reply(int fd) {
    struct call *call = calls[fd];
    static char body[ANSWER];
    int size = 0, i;
    const char *line = "200 OK";
    if (call->ids < 0) {
        line = "429 Too Many Requests";
        size = snprintf(body, sizeof body, "{\"message\":\"too many requests\"}");
    } else if (call->ids == 0) {
        size = snprintf(body, sizeof body, "{\"id\":\"<%lu@sink>\",\"message\":\"Queued. Thank you.\"}", made++);
    } else {
        size = snprintf(body, sizeof body, "{\"data\":[");
        for (i = 0; i < call->ids; i++)
            size += snprintf(body + size, sizeof body - size, "%s{\"id\":\"id-%lu\"}", i ? "," : "", made++);
        size += snprintf(body + size, sizeof body - size, "]}");
    }
    int length = snprintf(answer, sizeof answer,
        "HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s", line, size, body);
    call->size = 0;
    call->due = 0;
    if (send(fd, answer, length, MSG_NOSIGNAL) != length) end(fd); /* the caller waits, so its buffer is empty */
}

/* The head is complete: what does it ask for, and how much of the body has come with it? */
static int understood(struct call *call, char *blank) {
    char *line, *slash = strchr(call->head, '/');
    long length = 0;
    *blank = 0;
    call->limit = 0;
    if (!slash || sscanf(slash, "/%ld/%d/%d/", &call->latency, &call->ids, &call->limit) < 2) return 0;
    if (call->ids < 0 || call->ids > IDS || call->limit < 0 || call->limit >= CALLS) return 0;
    for (line = call->head; (line = strstr(line, "\r\n")); )
        if (!strncasecmp(line += 2, "content-length:", 15)) length = atol(line + 15);
    call->left = length - (call->size - (blank + 4 - call->head));
    return 1;
}

static void hear(int fd) {
    struct call *call = calls[fd];
    for (;;) {
        int head = call->size >= 0;
        ssize_t got = head ? recv(fd, call->head + call->size, HEAD - 1 - call->size, 0)
                           : recv(fd, piece, call->left < PIECE ? call->left : PIECE, MSG_TRUNC);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) { end(fd); return; }
        if (head) {
            call->size += got;
            call->head[call->size] = 0;
            char *blank = strstr(call->head, "\r\n\r\n");
            if (!blank) continue;
            if (!understood(call, blank)) { end(fd); return; }
            call->size = -1;
        } else {
            call->left -= got;
        }
        if (call->left <= 0) {
            if (too_fast(call->limit)) call->ids = -1;
            call->due = now() + call->latency;
            if (call->latency == 0) reply(fd);
            return;
        }
    }
}

/* Answer whoever has waited long enough; milliseconds until the next one, or -1. */
static int answer_due(void) {
    long long at = now(), next = -1;
    for (int fd = 0; fd < CALLS; fd++) {
        if (!calls[fd] || !calls[fd]->open || !calls[fd]->due) continue;
        if (calls[fd]->due <= at) reply(fd);
        else if (next < 0 || calls[fd]->due - at < next) next = calls[fd]->due - at;
    }
    return (int)next;
}

int main(void) {
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof where;
    int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0), one = 1;
    struct epoll_event seen[64], ask = { .events = EPOLLIN };
    if (bind(door, (struct sockaddr *)&where, length) || listen(door, CALLS)) return 1;
    getsockname(door, (struct sockaddr *)&where, &length);
    ask.data.fd = door;
    epoll_ctl(poll, EPOLL_CTL_ADD, door, &ask);
    ask.data.fd = 0;
    epoll_ctl(poll, EPOLL_CTL_ADD, 0, &ask);
    printf("%d\n", ntohs(where.sin_port));
    fflush(stdout);
    for (;;) {
        int count = epoll_wait(poll, seen, 64, answer_due());
        for (int i = 0; i < count; i++) {
            int fd = seen[i].data.fd;
            if (fd == 0) return 0;
            if (fd != door) { hear(fd); continue; }
            int caller = accept4(door, NULL, NULL, SOCK_NONBLOCK);
            if (caller < 0 || caller >= CALLS) { if (caller >= 0) close(caller); continue; }
            if (!calls[caller]) calls[caller] = malloc(sizeof *calls[caller]);
            calls[caller]->open = 1, calls[caller]->size = 0, calls[caller]->due = 0;
            setsockopt(caller, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            ask.data.fd = caller;
            epoll_ctl(poll, EPOLL_CTL_ADD, caller, &ask);
        }
    }
}
