//! A person with a browser: cookies by host, redirects followed by hand, forms sent as browsers send them.

use std::collections::BTreeMap;

use reqwest::{Client, Method, Response};
use url::Url;

use crate::world::Registry;

/// A browser with its cookies.
pub(crate) struct Browser {
    client: Client,
    /// By host with port, as an attacker on another port shares nothing with us here.
    pub(crate) cookies: BTreeMap<(String, String), String>,
    /// `Set-Cookie` headers as they came, newest last.
    pub(crate) set: Vec<String>,
    home: String,
}

/// A page that a browser came to.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) url: Url,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Page {
    /// The value of a hidden field.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.text.split_once(&start).unwrap_or_else(|| panic!("no field {name} in\n{}", self.text));
        rest.split('"').next().unwrap().to_owned()
    }

    pub(crate) fn location(&self) -> &str {
        self.headers.get("location").map_or("", |v| v.to_str().unwrap())
    }
}

impl Browser {
    pub(crate) fn new(registry: &Registry) -> Self {
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { client, cookies: BTreeMap::new(), set: Vec::new(), home: registry.url.clone() }
    }

    /// The registry's address of a path.
    pub(crate) fn at(&self, path: &str) -> Url {
        Url::parse(&self.home).unwrap().join(path).unwrap()
    }

    fn cookie_line(&self, url: &Url) -> String {
        let host = url.authority();
        let own = self.cookies.iter().filter(|((h, _), _)| h == host);
        own.map(|((_, name), value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// One request, without following anything.
    pub(crate) async fn send(&mut self, method: Method, url: Url, headers: &[(&str, &str)], body: &str) -> Page {
        let mut request = self.client.request(method, url.clone()).header("accept", "text/html");
        let cookies = self.cookie_line(&url);
        if !cookies.is_empty() {
            request = request.header("cookie", cookies);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(body.to_owned()).send().await.unwrap();
        self.keep(&url, &response);
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Page { status, url, headers, text: response.text().await.unwrap() }
    }

    fn keep(&mut self, url: &Url, response: &Response) {
        for line in response.headers().get_all("set-cookie") {
            let line = line.to_str().unwrap().to_owned();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            let key = (url.authority().to_owned(), name.to_owned());
            let ended = value.is_empty() || line.to_lowercase().contains("max-age=0");
            if ended {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
            self.set.push(line);
        }
    }

    /// GET, with all redirects.
    pub(crate) async fn open(&mut self, url: Url) -> Page {
        let mut page = self.send(Method::GET, url, &[], "").await;
        for _ in 0..15 {
            if !(300..400).contains(&page.status) {
                return page;
            }
            let next = page.url.join(page.location()).unwrap();
            page = self.send(Method::GET, next, &[], "").await;
        }
        panic!("redirects without end at {}", page.url);
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        let url = self.at(path);
        self.open(url).await
    }

    /// A form, as a browser sends one from a page of the registry; redirects are not followed.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let origin = self.home.clone();
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", origin.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        let url = self.at(path);
        self.send(Method::POST, url, &headers, &form(fields)).await
    }

    /// Signs in as the local administrator.
    pub(crate) async fn follow(&mut self, link: &str) -> Page {
        let page = self.open(Url::parse(link).unwrap()).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let fields = ["csrf", "browser", "token"].map(|name| (name, page.field(name)));
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.post("/auth/link", &fields).await
    }

    /// The session's token for forms.
    pub(crate) async fn csrf(&mut self) -> String {
        let page = self.get("/account").await;
        assert_eq!(page.status, 200, "{}", page.text);
        page.field("csrf")
    }

    /// Name and value of the session's cookie.
    pub(crate) fn session(&self) -> Option<String> {
        self.cookies.iter().find(|((_, name), _)| name.ends_with("mpak_session")).map(|(_, value)| value.clone())
    }
}

/// Fields as a browser writes them.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
