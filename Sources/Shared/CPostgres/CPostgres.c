#include "include/CPostgres.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

static struct mainstay_libpq calls;
static int is_loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return;
    // A field of another type than the header has it would not compile.
    struct mainstay_libpq found;
#define FIND(field, name)                                                                      \
    do {                                                                                       \
        __typeof__(&name) symbol = (__typeof__(&name))dlsym(library, #name);                   \
        if (symbol == NULL) return;                                                            \
        found.field = symbol;                                                                  \
    } while (0)
    FIND(connectStartParams, PQconnectStartParams);
    FIND(connectPoll, PQconnectPoll);
    FIND(status, PQstatus);
    FIND(socket, PQsocket);
    FIND(errorMessage, PQerrorMessage);
    FIND(serverVersion, PQserverVersion);
    FIND(setnonblocking, PQsetnonblocking);
    FIND(sendQuery, PQsendQuery);
    FIND(flush, PQflush);
    FIND(consumeInput, PQconsumeInput);
    FIND(isBusy, PQisBusy);
    FIND(getResult, PQgetResult);
    FIND(resultStatus, PQresultStatus);
    FIND(resultErrorMessage, PQresultErrorMessage);
    FIND(ntuples, PQntuples);
    FIND(nfields, PQnfields);
    FIND(fname, PQfname);
    FIND(getvalue, PQgetvalue);
    FIND(getisnull, PQgetisnull);
    FIND(clear, PQclear);
    FIND(finish, PQfinish);
#undef FIND
    calls = found;
    is_loaded = 1;
}

const struct mainstay_libpq *mainstay_libpq(void) {
    pthread_once(&once, load);
    return is_loaded ? &calls : NULL;
}
