//! What PostgreSQL says of itself, of a role and of its connections.

use std::collections::BTreeMap;

use sqlx::PgConnection;

/// The name of the doctor's own connection.
pub(super) const NAME: &str = "floodway-fleet";

/// What can be set for a role, and for a client by itself.
const SETTINGS: [&str; 5] = [
    "statement_timeout",
    "client_connection_check_interval",
    "tcp_keepalives_idle",
    "tcp_keepalives_interval",
    "tcp_keepalives_count",
];

pub(super) struct Facts {
    pub(super) version: String,
    pub(super) version_number: u32,
    pub(super) role_name: String,
    /// `None` if there is no such role.
    pub(super) role: Option<Role>,
    pub(super) database: Database,
    /// Connections that ordinary roles may have together.
    pub(super) places: i64,
    /// Whether we came through a socket, which has no keepalives.
    pub(super) local: bool,
    /// In milliseconds, seconds and a number, as the server has them in `pg_settings`.
    settings: BTreeMap<String, i64>,
    pub(super) open: Open,
}

pub(super) struct Role {
    oid: i64,
    /// As it is written in statements.
    pub(super) quoted: String,
    /// -1 if unlimited.
    pub(super) limit: i32,
    pub(super) superuser: bool,
    pub(super) login: bool,
}

pub(super) struct Database {
    oid: i64,
    pub(super) quoted: String,
    /// -1 if unlimited.
    pub(super) limit: i32,
}

/// Connections of clients, ours not counted.
pub(super) struct Open {
    /// Of the role.
    pub(super) role: i64,
    /// Of the role, with the name of a lease of the budget.
    pub(super) named: i64,
    /// Of all other roles.
    pub(super) others: i64,
    /// By name, those with a lease's: name and how many.
    pub(super) by_name: BTreeMap<String, i64>,
}

impl Facts {
    pub(super) async fn of(
        connection: &mut PgConnection,
        budget: &str,
        role: Option<&str>,
    ) -> Result<Self, sqlx::Error> {
        let (version, current, places, local): (String, String, i64, bool) =
            sqlx::query_as(SERVER).fetch_one(&mut *connection).await?;
        let version_number = connection.server_version_num().unwrap_or_default();
        let role_name = role.map_or(current, str::to_owned);
        let found: Option<(i64, String, i32, bool, bool)> =
            sqlx::query_as(ROLE).bind(&role_name).fetch_optional(&mut *connection).await?;
        let role = found.map(|(oid, quoted, limit, superuser, login)| Role {
            oid,
            quoted,
            limit,
            superuser,
            login,
        });
        let (oid, quoted, limit) = sqlx::query_as(DATABASE).fetch_one(&mut *connection).await?;
        let database = Database { oid, quoted, limit };
        let role_oid = role.as_ref().map_or(0, |role| role.oid);
        apply(connection, role_oid, database.oid).await?;
        let settings: Vec<(String, i64)> =
            sqlx::query_as(CURRENT).bind(SETTINGS).fetch_all(&mut *connection).await?;
        let settings = settings.into_iter().collect();
        let open = open(connection, budget, &role_name).await?;
        Ok(Self {
            version,
            version_number,
            role_name,
            role,
            database,
            places,
            local,
            settings,
            open,
        })
    }

    pub(super) fn setting(&self, name: &str) -> i64 {
        self.settings.get(name).copied().unwrap_or_default()
    }
}

/// The version without the distribution's part. What is reserved for members of a role since PostgreSQL 16
/// is not there before.
const SERVER: &str = "SELECT split_part(current_setting('server_version'), ' ', 1), current_user::text, \
     current_setting('max_connections')::bigint \
     - current_setting('superuser_reserved_connections')::bigint \
     - coalesce(current_setting('reserved_connections', true)::bigint, 0), \
     inet_server_addr() IS NULL";

const ROLE: &str = "SELECT oid::bigint, quote_ident(rolname), rolconnlimit, \
     rolsuper, rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = $1";

const DATABASE: &str = "SELECT oid::bigint, quote_ident(datname), datconnlimit \
     FROM pg_catalog.pg_database WHERE datname = current_database()";

/// What is set for the role, the database or both, the strongest last.
const SET: &str = "SELECT split_part(entry, '=', 1), substr(entry, strpos(entry, '=') + 1) \
     FROM pg_catalog.pg_db_role_setting, unnest(setconfig) entry \
     WHERE setrole::bigint IN (0, $1) AND setdatabase::bigint IN (0, $2) \
     AND split_part(entry, '=', 1) = ANY($3) \
     ORDER BY setrole <> 0, setdatabase <> 0";

const CURRENT: &str =
    "SELECT name, setting::bigint FROM pg_catalog.pg_settings WHERE name = ANY($1)";

const OPEN: &str = "SELECT \
     count(*) FILTER (WHERE usename = $1 AND application_name <> ALL($3)), \
     count(*) FILTER (WHERE usename = $1 AND named), \
     count(*) FILTER (WHERE usename <> $1) \
     FROM (SELECT usename, application_name, \
         starts_with(application_name, 'fw/') AND (split_part(application_name, '/', 3) = $2 \
             OR octet_length(application_name) = 63 AND split_part(application_name, '/', 4) = '' \
                 AND starts_with($2, split_part(application_name, '/', 3))) AS named \
         FROM pg_catalog.pg_stat_activity \
         WHERE datid IS NOT NULL AND leader_pid IS NULL AND pid <> pg_backend_pid() \
         AND coalesce(backend_type, 'client backend') = 'client backend') AS clients";

const BY_NAME: &str = "SELECT application_name, count(*) FROM pg_catalog.pg_stat_activity \
     WHERE starts_with(application_name, 'fw/') AND leader_pid IS NULL GROUP BY 1";

/// Makes this session one of the role's, so that the server itself makes sense of units.
async fn apply(connection: &mut PgConnection, role: i64, database: i64) -> Result<(), sqlx::Error> {
    let set: Vec<(String, String)> = sqlx::query_as(SET)
        .bind(role)
        .bind(database)
        .bind(SETTINGS)
        .fetch_all(&mut *connection)
        .await?;
    for (name, value) in set {
        // A statement that takes longer than the role may would be ours.
        let set = sqlx::query("SELECT set_config($1, $2, false)").bind(name).bind(value);
        set.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn open(
    connection: &mut PgConnection,
    budget: &str,
    role: &str,
) -> Result<Open, sqlx::Error> {
    let ours = [NAME, "floodway-fence"];
    let looked = sqlx::query_as(OPEN).bind(role).bind(budget).bind(ours);
    let (role, named, others) = looked.fetch_one(&mut *connection).await?;
    let by_name: Vec<(String, i64)> = sqlx::query_as(BY_NAME).fetch_all(&mut *connection).await?;
    Ok(Open { role, named, others, by_name: by_name.into_iter().collect() })
}
