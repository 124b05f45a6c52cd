// Shows the document of this server. The key that is typed in stays in this page.
SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "/openapi.json",
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  queryConfigEnabled: false,
  // Swagger's own service would be asked whether the document is valid.
  validatorUrl: null,
});
