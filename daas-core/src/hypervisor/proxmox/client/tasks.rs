//! Tasks: what takes longer than a call.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::cluster::must_be_list;
use super::lenient::{de_some_text, de_text, list, text};
use super::{Class, Client, Fault, Form, Upid};

/// Where a task is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TaskStatus {
    /// `running` or `stopped`.
    #[serde(deserialize_with = "de_text")]
    pub status: String,
    /// How it ended, once it has.
    #[serde(rename = "exitstatus", deserialize_with = "de_some_text")]
    pub exit: Option<String>,
}

impl TaskStatus {
    /// How it ended; `None` while it runs.
    #[must_use]
    pub fn ended(&self) -> Option<&str> {
        match self.status.as_str() {
            "running" => None,
            // Without an end it has none that is known.
            _ => Some(self.exit.as_deref().unwrap_or("unexpected status")),
        }
    }
}

/// Whether an end is a success.
fn is_success(exit: &str) -> bool {
    let warnings = exit.strip_prefix("WARNINGS: ");
    exit == "OK"
        || warnings.is_some_and(|count| {
            !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// A task in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TaskEntry {
    /// Its name.
    #[serde(deserialize_with = "de_text")]
    pub upid: String,
    /// How it ended, once it has.
    #[serde(deserialize_with = "de_some_text")]
    pub status: Option<String>,
}

impl TaskEntry {
    /// Whether it has not ended.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.status.as_deref(), None | Some("" | "running"))
    }
}

/// Tasks.
impl Client {
    /// Where a task is.
    ///
    /// # Errors
    /// `Gone` where there is no such task; those of every call: see [`Fault`].
    pub async fn task_status(&self, upid: &Upid) -> Result<TaskStatus, Fault> {
        let path = ["nodes", upid.node(), "tasks", upid.as_str(), "status"];
        let data = self.get(&path, Form::new()).await?;
        serde_json::from_value(data).map_err(|error| Fault::Unreadable {
            what: error.to_string(),
            changes: false,
        })
    }

    /// Lines of its log, from one on.
    ///
    /// # Errors
    /// `Gone` where there is no such task; those of every call: see [`Fault`].
    pub async fn task_log(&self, upid: &Upid, from: u32, most: u32) -> Result<Vec<String>, Fault> {
        let path = ["nodes", upid.node(), "tasks", upid.as_str(), "log"];
        let form = Form::new().with("start", from).with("limit", most);
        let lines: Vec<Value> = list(must_be_list(self.get(&path, form).await?)?);
        Ok(lines
            .iter()
            .filter_map(|line| text(line.get("t")?))
            .collect())
    }

    /// The tasks of a node, those of a guest only where one is named; the newest first.
    ///
    /// # Errors
    /// Those of every call: see [`Fault`].
    pub async fn tasks(
        &self,
        node: &str,
        vmid: Option<u32>,
        running_only: bool,
    ) -> Result<Vec<TaskEntry>, Fault> {
        let source = if running_only { "active" } else { "all" };
        let form = Form::new().maybe("vmid", vmid).with("source", source);
        let data = self.get(&["nodes", node, "tasks"], form).await?;
        let mut tasks: Vec<TaskEntry> = list(must_be_list(data)?);
        if running_only {
            // What has ended is active until it has been put away.
            tasks.retain(TaskEntry::is_running);
        }
        Ok(tasks)
    }

    /// The newest tasks of the cluster.
    ///
    /// # Errors
    /// Those of every call: see [`Fault`].
    pub async fn cluster_tasks(&self) -> Result<Vec<TaskEntry>, Fault> {
        let data = self.get(&["cluster", "tasks"], Form::new()).await?;
        Ok(list(must_be_list(data)?))
    }

    /// Ends a task. What it was in the middle of may be left half done.
    ///
    /// # Errors
    /// `Gone` where there is no such task; those of every call: see [`Fault`].
    pub async fn stop_task(&self, upid: &Upid) -> Result<(), Fault> {
        let path = ["nodes", upid.node(), "tasks", upid.as_str()];
        self.delete(&path, Form::new()).await.map(drop)
    }

    /// Waits for a task to end well.
    ///
    /// # Errors
    /// [`Fault::Task`] where it ended badly, [`Fault::Unfinished`] where it has not ended in
    /// time. What is wrong with looking at it is waited for, where that may pass.
    pub async fn wait(&self, upid: &Upid, within: Duration) -> Result<(), Fault> {
        let settings = self.settings();
        let (mut pause, longest) = (settings.poll_first, settings.poll_last);
        let began = Instant::now();
        loop {
            match self.task_status(upid).await {
                Ok(status) => {
                    if let Some(exit) = status.ended() {
                        return ended(upid, exit);
                    }
                }
                Err(fault) if fault.class() == Class::Retryable => {}
                Err(fault) => return Err(unknown(upid, fault)),
            }
            if began.elapsed() >= within {
                let upid = upid.clone();
                return Err(Fault::Unfinished { upid, within });
            }
            sleep(pause.min(within.saturating_sub(began.elapsed()))).await;
            pause = (pause * 2).min(longest);
        }
    }
}

/// A task that cannot be looked at has begun all the same: how it ends is not known.
fn unknown(upid: &Upid, fault: Fault) -> Fault {
    match fault.class() {
        Class::Permission => fault,
        _ => {
            tracing::debug!(%upid, error = %fault, "a task cannot be looked at");
            Fault::Task {
                upid: upid.clone(),
                exit: "unexpected status".to_owned(),
            }
        }
    }
}

fn ended(upid: &Upid, exit: &str) -> Result<(), Fault> {
    if is_success(exit) {
        return Ok(());
    }
    Err(Fault::Task {
        upid: upid.clone(),
        exit: super::tidy(exit),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_ends_are_good() {
        for good in ["OK", "WARNINGS: 1", "WARNINGS: 17"] {
            assert!(is_success(good), "{good}");
        }
        for bad in [
            "",
            "ok",
            "OK ",
            "WARNINGS: ",
            "WARNINGS: x",
            "WARNINGS: 1 2",
            "unexpected status",
        ] {
            assert!(!is_success(bad), "{bad}");
        }
    }

    #[test]
    fn what_has_stopped_without_an_end_is_not_known() {
        let of = |text| serde_json::from_str::<TaskStatus>(text).unwrap_or_default();
        assert_eq!(of(r#"{"status":"running"}"#).ended(), None);
        assert_eq!(
            of(r#"{"status":"stopped","exitstatus":"OK"}"#).ended(),
            Some("OK")
        );
        for odd in [r#"{"status":"stopped"}"#, "{}", r#"{"status":7}"#] {
            assert_eq!(of(odd).ended(), Some("unexpected status"), "{odd}");
        }
    }
}
