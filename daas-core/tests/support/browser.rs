//! As much of a browser as the forms of an OpenID provider need: cookies, redirects, forms.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::time::Duration;

use ureq::Agent;
use ureq::http::Response;
use url::Url;

/// Most redirects in a row.
const REDIRECTS: usize = 10;

#[derive(Clone)]
struct Cookie {
    name: String,
    value: String,
    path: String,
}

#[derive(Clone)]
pub(crate) struct Browser {
    agent: Agent,
    cookies: Vec<Cookie>,
}

/// Where a browser is at last.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Page {
    /// The value of an attribute that comes first behind a text.
    pub(crate) fn attribute(&self, after: &str, name: &str) -> String {
        let start = self
            .body
            .find(after)
            .unwrap_or_else(|| panic!("no {after}: {self:?}"));
        let (_, rest) = self.body[start..]
            .split_once(&format!(" {name}=\""))
            .unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    /// A parameter of its address.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self.url.query_pairs();
        pairs
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.into_owned())
    }
}

impl Browser {
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .max_idle_connections(0)
            .timeout_global(Some(Duration::from_secs(20)));
        Self {
            agent: Agent::new_with_config(config.build()),
            cookies: Vec::new(),
        }
    }

    /// The value of a cookie, if there is one.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let found = self.cookies.iter().find(|cookie| cookie.name == name)?;
        Some(&found.value)
    }

    /// Goes to an address, and on to where it leads; `stop` is the beginning of addresses
    /// that are not asked any more.
    pub(crate) fn open(&mut self, url: &str, stop: &str) -> Page {
        self.follow(Url::parse(url).unwrap(), None, stop)
    }

    /// Sends the form of a page.
    pub(crate) fn submit(&mut self, page: &Page, fields: &[(&str, &str)], stop: &str) -> Page {
        let action = page.url.join(&page.attribute("<form", "action")).unwrap();
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        self.follow(action, Some(form.finish()), stop)
    }

    fn follow(&mut self, mut url: Url, mut form: Option<String>, stop: &str) -> Page {
        for _ in 0..REDIRECTS {
            if url.as_str().starts_with(stop) {
                let (status, body) = (0, String::new());
                return Page { url, status, body };
            }
            let mut response = self.ask(&url, form.take());
            self.keep_cookies(&url, &response);
            let status = response.status().as_u16();
            match response.headers().get("location") {
                Some(place) if (300..400).contains(&status) => {
                    url = url.join(place.to_str().unwrap()).unwrap();
                }
                _ => {
                    let body = response.body_mut().read_to_string().unwrap();
                    return Page { url, status, body };
                }
            }
        }
        panic!("too many redirects, the last to {url}");
    }

    fn ask(&self, url: &Url, form: Option<String>) -> Response<ureq::Body> {
        let fits = self
            .cookies
            .iter()
            .filter(|cookie| url.path().starts_with(&cookie.path));
        let pairs = fits.map(|cookie| format!("{}={}", cookie.name, cookie.value));
        let cookies = pairs.collect::<Vec<_>>().join("; ");
        match form {
            None => self
                .agent
                .get(url.as_str())
                .header("cookie", cookies)
                .call(),
            Some(form) => self
                .agent
                .post(url.as_str())
                .header("cookie", cookies)
                .header("content-type", "application/x-www-form-urlencoded")
                .send(form),
        }
        .unwrap()
    }

    fn keep_cookies(&mut self, url: &Url, response: &Response<ureq::Body>) {
        for header in response.headers().get_all("set-cookie") {
            let mut parts = header.to_str().unwrap().split("; ");
            let (name, value) = parts.next().unwrap().split_once('=').unwrap();
            let path = parts.find_map(|part| {
                let (name, path) = part.split_once('=')?;
                name.eq_ignore_ascii_case("path").then(|| path.to_owned())
            });
            let path = path.unwrap_or_else(|| url.path().to_owned());
            self.cookies
                .retain(|known| (known.name.as_str(), &known.path) != (name, &path));
            // That is how they are deleted.
            if !value.is_empty() {
                self.cookies.push(Cookie {
                    name: name.to_owned(),
                    value: value.to_owned(),
                    path,
                });
            }
        }
    }
}
