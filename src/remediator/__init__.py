"""Signs CodeBuild projects in to Docker Hub when a build hits its pull limit, and runs that build again."""
