"""HTTP around the search core: the application, its routes, and the service that keeps a build in use."""
