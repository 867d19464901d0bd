//! What the project tells its agent: AGENTS.md, and the skills that there are.

use super::*;

const SKILL: &str = "---\nname: release\ndescription: How a release is made here\n---\n# Release\nTag it with v.\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_is_told_the_instructions_and_skills_of_its_project_and_reads_the_skill_that_fits() {
    let server = ModelServer::start(vec![
        Reply::call("a", "read", &json!({ "path": "skills/release/SKILL.md" })),
        Reply::text("tagged"),
    ])
    .await;
    let agent = "[agents.pi]\ninstructions = [\"AGENTS.md\"]\nskills = [\"skills\"]\n";
    let project = Project::with(&format!("{}{}", Wire::Openai.model(&server), GRANTS.replace("[agents.pi]\n", agent)));
    project.write("AGENTS.md", "Tests are run with `make check`.");
    for name in ["release", "broken"] {
        std::fs::create_dir_all(project.path().join("skills").join(name)).unwrap();
    }
    project.write("skills/release/SKILL.md", SKILL);
    project.write("skills/broken/SKILL.md", "no front matter");
    let said = run(&project, &["run", "make a release"]).await;
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let asked = server.requests();
    let system = system_of(&asked[0]);
    assert!(system.contains("The project says in AGENTS.md:\nTests are run with `make check`."), "{system}");
    let skill = "- release: How a release is made here (skills/release/SKILL.md)";
    assert!(system.contains(skill) && !system.contains("broken"), "{system}");
    assert!(results(&asked[1])[0].contains("Tag it with v."));
}

/// A session keeps what it was told: a replay asks the same.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_file_the_agent_reads_agents_md_and_skills_by_itself() {
    let server = ModelServer::start(vec![Reply::text("yes")]).await;
    let project = Project::new();
    project.write("AGENTS.md", "Speak Latin.");
    std::fs::create_dir_all(project.path().join(".agents/skills/release")).unwrap();
    project.write(".agents/skills/release/SKILL.md", SKILL);
    let model = format!("openai/scripted@{}", server.openai_url());
    let said = run(&project, &["run", "are you there?", "--model", &model]).await;
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let system = system_of(&server.requests()[0]);
    assert!(system.contains("Speak Latin.") && system.contains(".agents/skills/release/SKILL.md"), "{system}");
}
