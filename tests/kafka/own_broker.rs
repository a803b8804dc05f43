//! Brokers that a test may stop and kill, with listeners for what the test needs.

use std::ops::{Deref, DerefMut};

use testkit::{KafkaLocal, ports::TO_CONTROLLER};

use crate::proxy::Proxy;

/// One broker or a cluster. Wiped when dropped.
pub(crate) struct OwnBroker(KafkaLocal);

impl Deref for OwnBroker {
    type Target = KafkaLocal;

    fn deref(&self) -> &KafkaLocal {
        &self.0
    }
}

impl DerefMut for OwnBroker {
    fn deref_mut(&mut self) -> &mut KafkaLocal {
        &mut self.0
    }
}

impl OwnBroker {
    pub(crate) fn new() -> Self {
        Self::cluster(1)
    }

    pub(crate) fn cluster(nodes: u16) -> Self {
        Self(KafkaLocal::new(nodes))
    }

    /// A broker that tells its clients the proxy's address only; `direct` is another way in.
    pub(crate) fn behind_a_proxy() -> (Self, Proxy) {
        let mut broker = Self::new();
        let (port, direct) = (broker.port(), broker.port() + 1);
        let proxy = Proxy::new(port);
        let outside = proxy.port();
        let controller = broker.port() + TO_CONTROLLER;
        broker.set_all(&[
            format!(
                "listeners=PLAINTEXT://127.0.0.1:{port},DIRECT://127.0.0.1:{direct},\
                 CONTROLLER://127.0.0.1:{controller}"
            ),
            format!(
                "advertised.listeners=PLAINTEXT://127.0.0.1:{outside},DIRECT://127.0.0.1:{direct}"
            ),
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,DIRECT:PLAINTEXT,\
             CONTROLLER:PLAINTEXT"
                .to_owned(),
            "inter.broker.listener.name=DIRECT".to_owned(),
            format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
        ]);
        (broker, proxy)
    }

    /// A broker with a listener for each address, in this order, that tells its clients this
    /// address; `direct` is another way in.
    pub(crate) fn advertising(addresses: &[&str]) -> Self {
        let mut broker = Self::new();
        let controller = broker.port() + TO_CONTROLLER;
        let mut listeners = vec![format!("PLAINTEXT://127.0.0.1:{}", broker.port())];
        let mut advertised = listeners.clone();
        let mut protocols = vec!["PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned()];
        for (number, address) in (1..).zip(addresses) {
            listeners.push(format!("WAY{number}://127.0.0.1:{}", broker.port() + number));
            advertised.push(format!("WAY{number}://{address}"));
            protocols.push(format!("WAY{number}:PLAINTEXT"));
        }
        listeners.push(format!("CONTROLLER://127.0.0.1:{controller}"));
        broker.set_all(&[
            format!("listeners={}", listeners.join(",")),
            format!("advertised.listeners={}", advertised.join(",")),
            format!("listener.security.protocol.map={}", protocols.join(",")),
            format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
        ]);
        broker
    }

    /// The way in that advertises the address with this number, the first being 1.
    pub(crate) fn way(&self, number: u16) -> String {
        format!("127.0.0.1:{}", self.port() + number)
    }

    /// A broker with access rights: anonymous (all rights) on its first port, SASL over TLS and
    /// mutual TLS on the next two. `key` has the broker's key and certificate, `ca` whom it trusts.
    pub(crate) fn secured(key: &str, ca: &str, plain: (&str, &str)) -> Self {
        const MODULES: &str = "org.apache.kafka.common.security";
        let mut broker = Self::new();
        let (port, sasl, mutual) = (broker.port(), broker.port() + 1, broker.port() + 2);
        let controller = port + TO_CONTROLLER;
        let (user, password) = plain;
        let all = "127.0.0.1";
        broker.set_all(&[
            format!(
                "listeners=PLAINTEXT://{all}:{port},SASLTLS://{all}:{sasl},MUTUAL://{all}:{mutual},\
                 CONTROLLER://{all}:{controller}"
            ),
            format!(
                "advertised.listeners=PLAINTEXT://{all}:{port},SASLTLS://{all}:{sasl},\
                 MUTUAL://{all}:{mutual}"
            ),
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASLTLS:SASL_SSL,MUTUAL:SSL,\
             CONTROLLER:PLAINTEXT"
                .to_owned(),
            format!("controller.quorum.voters=1@{all}:{controller}"),
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
                .to_owned(),
            "super.users=User:ANONYMOUS".to_owned(),
            "listener.name.sasltls.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
                .to_owned(),
            format!(
                "listener.name.sasltls.plain.sasl.jaas.config=\
                 {MODULES}.plain.PlainLoginModule required user_{user}=\"{password}\";"
            ),
            format!("listener.name.mutual.ssl.truststore.location={ca}"),
            "listener.name.mutual.ssl.truststore.type=PEM".to_owned(),
            "listener.name.mutual.ssl.client.auth=required".to_owned(),
        ]);
        for listener in ["sasltls", "mutual"] {
            broker.set(&format!("listener.name.{listener}.ssl.keystore.type=PEM"));
            broker.set(&format!("listener.name.{listener}.ssl.keystore.location={key}"));
        }
        for mechanism in ["scram-sha-256", "scram-sha-512"] {
            broker.set(&format!(
                "listener.name.sasltls.{mechanism}.sasl.jaas.config=\
                 {MODULES}.scram.ScramLoginModule required;"
            ));
        }
        broker
    }

    /// The way of a `secured` broker's SASL users.
    pub(crate) fn sasl_tls(&self) -> String {
        format!("127.0.0.1:{}", self.port() + 1)
    }

    /// The way of clients that show a certificate.
    pub(crate) fn mutual_tls(&self) -> String {
        format!("127.0.0.1:{}", self.port() + 2)
    }

    /// A broker whose port for `direct` wants the user `logintide` with this password.
    pub(crate) fn with_password(password: &str) -> Self {
        let mut broker = Self::new();
        let (port, direct) = (broker.port(), broker.port() + 1);
        let controller = broker.port() + TO_CONTROLLER;
        let login = "org.apache.kafka.common.security.plain.PlainLoginModule";
        let addresses = format!("PLAINTEXT://127.0.0.1:{port},DIRECT://127.0.0.1:{direct}");
        broker.set_all(&[
            format!("listeners={addresses},CONTROLLER://127.0.0.1:{controller}"),
            format!("advertised.listeners={addresses}"),
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,DIRECT:SASL_PLAINTEXT,\
             CONTROLLER:PLAINTEXT"
                .to_owned(),
            format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
            "sasl.enabled.mechanisms=PLAIN".to_owned(),
            format!(
                "listener.name.direct.plain.sasl.jaas.config={login} required \
                 user_logintide=\"{password}\";"
            ),
        ]);
        broker
    }

    /// The way around the proxy.
    pub(crate) fn direct(&self) -> String {
        format!("127.0.0.1:{}", self.port() + 1)
    }

    fn set_all(&mut self, settings: &[String]) {
        for setting in settings {
            self.set(setting);
        }
    }
}
