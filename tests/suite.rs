
mod journal;
mod lab;
