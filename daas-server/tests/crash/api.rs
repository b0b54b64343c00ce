//! A client of the server, who is told when the server is gone.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

pub const PASSWORD: &str = "crash-and-come-again";

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub struct Api {
    agent: Agent,
    address: SocketAddr,
    cookie: String,
    csrf: String,
}

/// Status and body, or nothing where the server was gone before it answered.
pub type Answer = Option<(u16, Value)>;

/// An instance as the server shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: String,
    pub state: String,
    pub failure: String,
}

impl Row {
    pub fn new(item: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            id: text(&item["id"]),
            state: text(&item["state"]),
            failure: text(&item["failure"]["text"]),
        }
    }

    /// Whether something is being done.
    pub fn is_pending(&self) -> bool {
        !matches!(
            self.state.as_str(),
            "running" | "suspended" | "stopped" | "failed"
        )
    }
}

impl Api {
    /// Logs in as the first user; nothing where the server is gone.
    pub fn log_in(address: SocketAddr) -> Option<Self> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .proxy(None);
        let mut api = Self {
            agent: Agent::new_with_config(config.build()),
            address,
            cookie: String::new(),
            csrf: String::new(),
        };
        let body = json!({ "username": "admin", "password": PASSWORD });
        let (cookie, (status, session)) = api.ask("POST", "/api/v1/session", Some(&body))?;
        assert_eq!(status, 200, "{session}");
        api.cookie = cookie;
        api.csrf = session["csrf_token"].as_str().unwrap().to_owned();
        Some(api)
    }

    /// The cookie that was set, status and body.
    fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Option<(String, (u16, Value))> {
        let origin = format!("http://{}", self.address);
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{origin}{path}"))
            .header("origin", &origin)
            .header("cookie", &self.cookie)
            .header("x-csrf-token", &self.csrf)
            .header("content-type", "application/json");
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut answer = self.agent.run(request.body(body).unwrap()).ok()?;
        let cookie = answer.headers().get("set-cookie");
        let cookie = cookie.map(|cookie| cookie.to_str().unwrap());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next());
        let cookie = cookie.unwrap_or_default().to_owned();
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().ok()?;
        let value = serde_json::from_str(&text).unwrap_or(Value::Null);
        Some((cookie, (status, value)))
    }

    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.ask(method, path, body).map(|(_, answer)| answer)
    }

    fn get(&self, path: &str) -> Option<Value> {
        let (status, value) = self.send("GET", path, None)?;
        assert_eq!(status, 200, "{path}: {value}");
        Some(value)
    }

    /// The id of the one application.
    pub fn app(&self) -> Option<String> {
        let apps = self.get("/api/v1/apps")?;
        Some(apps["items"][0]["id"].as_str().unwrap().to_owned())
    }

    pub fn launch(&self, app: &str) -> Answer {
        self.send("POST", "/api/v1/instances", Some(&json!({ "app_id": app })))
    }

    /// Asks for something to be done with an instance: `delete`, or a word of its path.
    pub fn act(&self, id: &str, action: &str) -> Answer {
        let path = format!("/api/v1/instances/{id}");
        match action {
            "delete" => self.send("DELETE", &path, None),
            action => self.send("POST", &format!("{path}/{action}"), None),
        }
    }

    /// All instances that are not deleted.
    pub fn rows(&self) -> Option<Vec<Row>> {
        let list = self.get("/api/v1/instances?limit=200")?;
        assert!(list["next_cursor"].is_null(), "there are too many");
        let items = list["items"].as_array().unwrap().iter();
        Some(items.map(Row::new).collect())
    }

    /// Limits how many instances the first user may have.
    pub fn allow(&self, instances: u32) {
        let session = self.get("/api/v1/session").unwrap();
        let path = format!(
            "/api/v1/users/{}/quota",
            session["user"]["id"].as_str().unwrap()
        );
        let quota = json!({
            "instances": instances, "cpu_millis": null, "memory_mib": null,
            "disk_mib": null, "hours_week": null,
        });
        let (status, answer) = self.send("PUT", &path, Some(&quota)).unwrap();
        assert_eq!(status, 200, "{answer}");
    }
}
