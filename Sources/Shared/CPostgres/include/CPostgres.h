// libpq, loaded when the first server is to be read: it brings OpenSSL, LDAP and Kerberos with it, which would cost every metricsd
// memory, and needs none of them where no PostgreSQL is named. The types are its own header's.
#pragma once
#include <postgresql/libpq-fe.h>

/// What is called of libpq, under its own names.
struct mainstay_libpq {
    PGconn *(*connectStartParams)(const char *const *keywords, const char *const *values, int expand_dbname);
    PostgresPollingStatusType (*connectPoll)(PGconn *conn);
    ConnStatusType (*status)(const PGconn *conn);
    int (*socket)(const PGconn *conn);
    char *(*errorMessage)(const PGconn *conn);
    int (*serverVersion)(const PGconn *conn);
    int (*setnonblocking)(PGconn *conn, int arg);
    int (*sendQuery)(PGconn *conn, const char *query);
    int (*flush)(PGconn *conn);
    int (*consumeInput)(PGconn *conn);
    int (*isBusy)(PGconn *conn);
    PGresult *(*getResult)(PGconn *conn);
    ExecStatusType (*resultStatus)(const PGresult *res);
    char *(*resultErrorMessage)(const PGresult *res);
    int (*ntuples)(const PGresult *res);
    int (*nfields)(const PGresult *res);
    char *(*fname)(const PGresult *res, int field);
    char *(*getvalue)(const PGresult *res, int row, int field);
    int (*getisnull)(const PGresult *res, int row, int field);
    void (*clear)(PGresult *res);
    void (*finish)(PGconn *conn);
};

/// libpq's calls; NULL where the library cannot be loaded. It is loaded once and stays. From any thread; it reads files.
const struct mainstay_libpq *mainstay_libpq(void);
