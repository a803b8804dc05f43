//! A certificate authority of the test, and what it signs, as PEM files.

use std::{fs, path::PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd,
};

/// PEM files in a temporary folder.
pub(super) struct Certificates {
    dir: tempfile::TempDir,
}

/// Who has signed, or how long it is valid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Good,
    Expired,
    /// By an authority that nobody here trusts.
    Unknown,
}

impl Certificates {
    /// The broker's, and those of clients with these names.
    pub(super) fn new(clients: &[(&str, Kind)]) -> Self {
        let made = Self { dir: tempfile::tempdir().expect("a temporary folder") };
        let ours = made.authority("ca");
        let others = made.authority("other-ca");
        made.sign("broker", Kind::Good, &ours);
        for (name, kind) in clients {
            made.sign(name, *kind, if *kind == Kind::Unknown { &others } else { &ours });
        }
        made
    }

    /// `ca.pem`: whom to trust; `other-ca.pem`: whom not; `NAME.pem`: key and certificate.
    pub(super) fn path(&self, file: &str) -> String {
        self.dir.path().join(file).to_str().expect("UTF-8").to_owned()
    }

    fn write(&self, file: &str, text: &str) {
        let path: PathBuf = self.dir.path().join(file);
        fs::write(path, text).expect("a PEM file");
    }

    fn authority(&self, name: &str) -> Issuer<'static, KeyPair> {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        self.write(&format!("{name}.pem"), &certificate.pem());
        Issuer::new(params, key)
    }

    fn sign(&self, name: &str, kind: Kind, by: &Issuer<'static, KeyPair>) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        if kind == Kind::Expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let certificate = params.signed_by(&key, by).expect("a certificate");
        self.write(&format!("{name}.key"), &key.serialize_pem());
        self.write(&format!("{name}.crt"), &certificate.pem());
        self.write(
            &format!("{name}.pem"),
            &format!("{}{}", key.serialize_pem(), certificate.pem()),
        );
    }
}
