"""The paper's tables as commands: each row is data, run by the project's own tools and compared."""
