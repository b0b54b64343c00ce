//! The routes, and the handlers that translate between JSON and the core.

mod apps;
mod audit;
mod details;
mod events;
mod groups;
mod health;
mod hosts;
mod instances;
mod live;
#[cfg(feature = "oidc")]
mod oidc;
mod openapi;
mod people;
mod profile;
mod session;
mod sign_on;
mod tokens;
mod users;
mod view;

use daas_core::model::{Permission, Scope};
use hyper::Method;

use crate::http::{Needs, Policy, Route, RouteInfo};

/// Most bytes of JSON from whoever is not logged in, and from whoever is.
const ANONYMOUS_JSON_MAX: usize = 64 * 1024;
const JSON_MAX: usize = 1024 * 1024;

/// One line: method, path, policy and handler, and what else is needed: the scope of a token
/// and what the person has to be allowed. Handlers are asynchronous functions; the table
/// holds plain ones that box what they answer.
macro_rules! table {
    ($($(#[$attribute:meta])* $method:ident $path:literal => $policy:ident($($argument:ident),+) $handler:path
        $(, scope $scope:ident)? $(, needs $permission:ident)?;)*) => {
        &[$($(#[$attribute])* Route {
            method: Method::$method,
            path: $path,
            policy: Policy::$policy(|$($argument),+| Box::pin($handler($($argument),+))),
            needs: Needs {
                scope: optional!($(Scope::$scope)?),
                permission: optional!($(Permission::$permission)?),
            },
        }),*]
    };
}

macro_rules! optional {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}

/// Every route of the server. Other paths lead to the page.
pub(crate) static ROUTES: &[Route] = table! {
    GET "/healthz" => Public(call) health::alive;
    GET "/readyz" => Monitoring(call) health::ready;
    GET "/metrics" => Monitoring(call) health::metrics;

    GET "/api/v1/openapi.json" => Public(call) openapi::document;
    GET "/api/v1/sign-on" => Public(call) sign_on::methods;
    #[cfg(feature = "oidc")]
    GET "/api/v1/sign-on/oidc/{id}" => Public(call) oidc::begin;
    #[cfg(feature = "oidc")]
    GET "/api/v1/sign-on/oidc/{id}/callback" => Public(call) oidc::finish;
    POST "/api/v1/session" => PublicUnsafe(call) session::log_in;
    GET "/api/v1/session" => Session(call, who) session::who_am_i;
    DELETE "/api/v1/session" => SessionUnsafe(call, who) session::log_out;
    POST "/api/v1/invitations" => PublicUnsafe(call) session::accept_invitation;

    POST "/api/v1/profile/password" => SessionUnsafe(call, who) profile::password;
    POST "/api/v1/profile/totp" => SessionUnsafe(call, who) profile::start_totp;
    POST "/api/v1/profile/totp/confirm" => SessionUnsafe(call, who) profile::confirm_totp;
    POST "/api/v1/profile/totp/disable" => SessionUnsafe(call, who) profile::stop_totp;
    GET "/api/v1/profile/sessions" => Session(call, who) profile::sessions;
    DELETE "/api/v1/profile/sessions" => SessionUnsafe(call, who) profile::end_sessions;
    DELETE "/api/v1/profile/sessions/{id}" => SessionUnsafe(call, who) profile::end_session;
    GET "/api/v1/profile/quota" => Session(call, who) profile::quota;
    GET "/api/v1/tokens" => Session(call, who) tokens::list;
    POST "/api/v1/tokens" => SessionUnsafe(call, who) tokens::make;
    DELETE "/api/v1/tokens/{id}" => SessionUnsafe(call, who) tokens::delete;

    GET "/api/v1/apps" => Api(call, who) apps::list, scope AppsRead;
    PUT "/api/v1/apps/{id}/quota" => ApiUnsafe(call, who) apps::set_quota,
        scope UsersWrite, needs QuotasManage;
    GET "/api/v1/instances" => Api(call, who) instances::list, scope InstancesRead;
    POST "/api/v1/instances" => ApiUnsafe(call, who) instances::launch, scope InstancesWrite;
    GET "/api/v1/instances/{id}" => Api(call, who) instances::show, scope InstancesRead;
    DELETE "/api/v1/instances/{id}" => ApiUnsafe(call, who) instances::delete,
        scope InstancesWrite;
    POST "/api/v1/instances/{id}/start" => ApiUnsafe(call, who) instances::start,
        scope InstancesWrite;
    POST "/api/v1/instances/{id}/stop" => ApiUnsafe(call, who) instances::stop,
        scope InstancesWrite;
    POST "/api/v1/instances/{id}/suspend" => ApiUnsafe(call, who) instances::suspend,
        scope InstancesWrite;
    POST "/api/v1/instances/{id}/resume" => ApiUnsafe(call, who) instances::resume,
        scope InstancesWrite;
    GET "/api/v1/instances/{id}/timeline" => Api(call, who) details::timeline,
        scope InstancesRead;
    GET "/api/v1/instances/{id}/snapshots" => Api(call, who) details::list,
        scope InstancesRead;
    POST "/api/v1/instances/{id}/snapshots" => ApiUnsafe(call, who) details::take,
        scope InstancesWrite;
    DELETE "/api/v1/instances/{id}/snapshots/{name}" => ApiUnsafe(call, who) details::remove,
        scope InstancesWrite;
    POST "/api/v1/instances/{id}/snapshots/{name}/rollback" =>
        ApiUnsafe(call, who) details::go_back, scope InstancesWrite;
    POST "/api/v1/instances/{id}/extend" => ApiUnsafe(call, who) instances::extend,
        scope InstancesWrite;
    POST "/api/v1/instances/{id}/tunnel" => SessionUnsafe(call, who) instances::ticket;
    GET "/api/v1/tunnel" => SessionUpgrade(call, who) instances::tunnel;
    GET "/api/v1/events" => Session(call, who) events::stream;

    GET "/api/v1/users" => Api(call, who) users::list, scope UsersRead, needs UsersManage;
    POST "/api/v1/users" => ApiUnsafe(call, who) users::create,
        scope UsersWrite, needs UsersManage;
    GET "/api/v1/users/{id}" => Api(call, who) users::show, scope UsersRead, needs UsersManage;
    PATCH "/api/v1/users/{id}" => ApiUnsafe(call, who) users::change,
        scope UsersWrite, needs UsersManage;
    DELETE "/api/v1/users/{id}" => ApiUnsafe(call, who) users::delete,
        scope UsersWrite, needs UsersManage;
    POST "/api/v1/users/{id}/invitation" => ApiUnsafe(call, who) users::invite,
        scope UsersWrite, needs UsersManage;
    DELETE "/api/v1/users/{id}/sessions" => ApiUnsafe(call, who) users::end_sessions,
        scope UsersWrite, needs UsersManage;
    PUT "/api/v1/users/{id}/quota" => ApiUnsafe(call, who) users::set_quota,
        scope UsersWrite, needs QuotasManage;
    PUT "/api/v1/users/{id}/rules" => ApiUnsafe(call, who) users::set_rules,
        scope UsersWrite, needs UsersManage;

    GET "/api/v1/groups" => Api(call, who) groups::list, scope UsersRead, needs GroupsManage;
    POST "/api/v1/groups" => ApiUnsafe(call, who) groups::create,
        scope UsersWrite, needs GroupsManage;
    GET "/api/v1/groups/{id}" => Api(call, who) groups::show,
        scope UsersRead, needs GroupsManage;
    PATCH "/api/v1/groups/{id}" => ApiUnsafe(call, who) groups::change,
        scope UsersWrite, needs GroupsManage;
    DELETE "/api/v1/groups/{id}" => ApiUnsafe(call, who) groups::delete,
        scope UsersWrite, needs GroupsManage;
    PUT "/api/v1/groups/{id}/quota" => ApiUnsafe(call, who) groups::set_quota,
        scope UsersWrite, needs QuotasManage;
    PUT "/api/v1/groups/{id}/rules" => ApiUnsafe(call, who) groups::set_rules,
        scope UsersWrite, needs GroupsManage;
    PUT "/api/v1/groups/{id}/members" => ApiUnsafe(call, who) groups::set_members,
        scope UsersWrite, needs GroupsManage;

    GET "/api/v1/hosts" => Api(call, who) hosts::list, scope HostsRead, needs HostsRead;
    PATCH "/api/v1/hosts/{id}" => ApiUnsafe(call, who) hosts::change,
        scope HostsWrite, needs HostsManage;
    GET "/api/v1/sessions" => Session(call, who) live::list, needs SessionsReadAll;
    DELETE "/api/v1/sessions/{id}" => SessionUnsafe(call, who) live::end,
        needs InstancesEndAll;
    GET "/api/v1/audit" => Api(call, who) audit::list, scope AuditRead, needs AuditRead;
    GET "/api/v1/audit/export" => Api(call, who) audit::export,
        scope AuditRead, needs AuditRead;
};

/// Every route of the server with its policy.
pub fn routes() -> impl Iterator<Item = RouteInfo> {
    ROUTES.iter().map(Route::info)
}
